internal import Glibc
internal import Synchronization

/// Reads typed settings from defaults < `.env` < environment < flags, and remembers every mistake, so that a start
/// fails once with all of them: the variable, what it holds, and what is expected. Secrets are never printed.
package final class ConfigurationReader: Sendable {
    /// A setting that was asked for.
    package struct Setting: Hashable, Sendable {
        package let name: String
        /// What it is when nobody sets it; nil when it must be set, or is a secret.
        package let fallback: String?
    }

    private struct State {
        var problems: [String] = []
        var known: [Setting] = []
    }

    private let values: [String: String]
    private let state = Mutex(State())

    package init(values: [String: String]) { self.values = values }

    /// The process's settings: `.env` in the working folder, then the environment, then `flags`.
    /// - Throws: `ConfigurationError` naming the line of `.env` that cannot be read.
    package static func process(flags: [String: String] = [:]) throws -> ConfigurationReader {
        var values: [String: String] = [:]
        if let text = readFile(".env") { values = try DotEnv.parse(text) }
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                values[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            pointer += 1
        }
        values.merge(flags) { $1 }
        return ConfigurationReader(values: values)
    }

    /// The same settings above others, which count where these say nothing; mistakes are remembered apart.
    package func over(_ defaults: [String: String]) -> ConfigurationReader {
        ConfigurationReader(values: defaults.merging(values.filter { !$0.value.isEmpty }) { $1 })
    }

    /// Every setting that was asked for so far, in the order of asking.
    package var known: [Setting] { state.withLock { $0.known } }

    package func string(_ name: String, default fallback: String) -> String {
        raw(name, fallback: fallback) ?? fallback
    }

    package func optionalString(_ name: String) -> String? { raw(name, fallback: "") }

    package func required(_ name: String, expected: String) -> String {
        guard let value = raw(name, fallback: nil) else {
            report("\(name) is not set: expected \(expected)")
            return ""
        }
        return value
    }

    package func int(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text = raw(name, fallback: "\(fallback)") else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            report("\(name) is '\(text)': expected a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return value
    }

    package func double(_ name: String, default fallback: Double, in range: ClosedRange<Double>) -> Double {
        guard let text = raw(name, fallback: "\(fallback)") else { return fallback }
        guard let value = Double(text), range.contains(value) else {
            report("\(name) is '\(text)': expected a number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return value
    }

    package func bool(_ name: String, default fallback: Bool) -> Bool {
        guard let text = raw(name, fallback: "\(fallback)") else { return fallback }
        switch text.lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default:
            report("\(name) is '\(text)': expected true or false")
            return fallback
        }
    }

    package func choice(_ name: String, of choices: [String], default fallback: String) -> String {
        guard let text = raw(name, fallback: fallback) else { return fallback }
        guard choices.contains(text) else {
            report("\(name) is '\(text)': expected one of \(choices.joined(separator: ", "))")
            return fallback
        }
        return text
    }

    /// A secret of at least `minimumBytes`; errors mention its name and length only.
    package func secret(_ name: String, minimumBytes: Int) -> String {
        guard let value = raw(name, fallback: nil) else {
            report("\(name) is not set: expected a secret of at least \(minimumBytes) bytes")
            return ""
        }
        if value.utf8.count < minimumBytes {
            report("\(name) has \(value.utf8.count) bytes: expected a secret of at least \(minimumBytes) bytes")
        }
        return value
    }

    /// Notes a mistake that a caller found in a setting.
    package func report(_ problem: String) { state.withLock { $0.problems.append(problem) } }

    /// - Throws: `ConfigurationError` listing every mistake made so far.
    package func validate() throws {
        let problems = state.withLock { $0.problems }
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
    }

    /// An empty variable counts as not set, as shells and compose files produce it.
    private func raw(_ name: String, fallback: String?) -> String? {
        let setting = Setting(name: name, fallback: fallback)
        state.withLock { state in if !state.known.contains(setting) { state.known.append(setting) } }
        guard let value = values[name], !value.isEmpty else { return nil }
        return value
    }

    private static func readFile(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 || bytes.count > 1 << 20 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Every mistake in the settings, one a line.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    package let problems: [String]
    package init(problems: [String]) { self.problems = problems }
    package var description: String { problems.joined(separator: "\n") }
}
