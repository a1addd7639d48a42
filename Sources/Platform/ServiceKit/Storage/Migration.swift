internal import Security

/// A numbered step of a schema: plain SQL with `-- up` and `-- down` parts.
package struct Migration: Sendable {
    package let version: Int
    package let name: String
    package let text: String

    /// - Parameter bytes: the `.sql` file as embedded in the binary.
    package init(_ version: Int, _ name: String, _ bytes: [UInt8]) {
        self.init(version, name, text: String(decoding: bytes, as: UTF8.self))
    }

    init(_ version: Int, _ name: String, text: String) {
        self.version = version
        self.name = name
        self.text = text
    }

    /// What the migration is recognised by: a changed file is refused once it has been applied.
    var checksum: String { Crypto.sha256Hex(text) }

    /// The SQL after the line `-- up`.
    var up: String { part("-- up") }
    /// The SQL after the line `-- down`; empty when the step cannot be undone.
    var down: String { part("-- down") }

    private func part(_ marker: String) -> String {
        var lines: [Substring] = []
        var isWanted = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "-- up" || line == "-- down" {
                isWanted = line == marker
            } else if isWanted {
                lines.append(line)
            }
        }
        return lines.joined(separator: "\n")
    }
}

/// Why a schema cannot be brought to its version; says which file and what to do.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package let description: String
}
