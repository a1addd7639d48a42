/// Reads typed settings from defaults < `.env` < environment < flags, and remembers every mistake, so that a start
/// fails once with all of them: the variable, what it holds, and what is expected. Secrets are never printed.
package final class ConfigurationReader: Sendable {
    package init(values: [String: String]) { fatalError("skeleton") }

    /// The process's settings: `.env` in the working folder, then the environment, then `flags`.
    package static func process(flags: [String: String] = [:]) throws -> ConfigurationReader { fatalError("skeleton") }

    package func string(_ name: String, default: String) -> String { fatalError("skeleton") }
    package func optionalString(_ name: String) -> String? { fatalError("skeleton") }
    package func required(_ name: String, expected: String) -> String { fatalError("skeleton") }
    package func int(_ name: String, default: Int, in range: ClosedRange<Int>) -> Int { fatalError("skeleton") }
    package func double(_ name: String, default: Double, in range: ClosedRange<Double>) -> Double { fatalError("skeleton") }
    package func bool(_ name: String, default: Bool) -> Bool { fatalError("skeleton") }
    package func choice(_ name: String, of choices: [String], default: String) -> String { fatalError("skeleton") }
    /// A secret of at least `minimumBytes`; errors mention its name and length only.
    package func secret(_ name: String, minimumBytes: Int) -> String { fatalError("skeleton") }

    /// - Throws: `ConfigurationError` listing every mistake made so far.
    package func validate() throws { fatalError("skeleton") }
}

package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    package let problems: [String]
    package var description: String { problems.joined(separator: "\n") }
}
