import Configuration
import Glibc
import LocalStack

/// The settings of this process as one dictionary: `.env`, then the environment, then the command line.
enum ProcessSettings {
    static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            pointer += 1
        }
        return result
    }

    /// - Parameter text: `NAME=VALUE,NAME=VALUE` of the command line.
    /// - Throws: `UsageError` when a part has no `=`.
    static func values(overridden text: String?) throws -> [String: String] {
        var values = environment()
        for part in (text ?? "").split(separator: ",") {
            guard let equals = part.firstIndex(of: "=") else { throw UsageError("'\(part)' is not NAME=VALUE") }
            values[String(part[..<equals])] = String(part[part.index(after: equals)...])
        }
        return values
    }

    /// Where this program lies.
    static func ownPath() throws -> String {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &bytes, bytes.count - 1)
        guard count > 0 else { throw LocalStackError("/proc is not mounted") }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
