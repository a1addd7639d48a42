/// A numbered step of a schema: plain SQL with `-- up` and `-- down` parts.
package struct Migration: Sendable {
    package let version: Int
    package let name: String
    package let text: String

    /// - Parameter bytes: the `.sql` file as embedded in the binary.
    package init(_ version: Int, _ name: String, _ bytes: [UInt8]) {
        self.version = version
        self.name = name
        text = String(decoding: bytes, as: UTF8.self)
    }
}
