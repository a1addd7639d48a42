/// A mailbox (RFC 5322, section 3.4): `local@domain`, with a display name or without.
///
/// Stricter than the standard: no comments, no quoted local parts, ASCII only. Nothing that could end a header line or
/// an SMTP command gets through.
struct MailAddress: Sendable, Hashable {
    let name: String
    /// `local@domain`.
    let address: String

    /// RFC 5321, section 4.5.3.1.
    private static let maxAddressBytes = 254
    private static let maxLocalBytes = 64
    private static let maxNameBytes = 200

    /// - Parameter field: how the error calls it.
    /// - Throws: `MailError.invalidMessage`.
    init(_ text: String, field: String) throws(MailError) {
        var name: Substring = ""
        var address = text[...]
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            name = text[..<open]
            address = text[text.index(after: open)...].dropLast()
            while name.last == " " { name.removeLast() }
            if name.count >= 2, name.first == "\"", name.last == "\"" { name = name.dropFirst().dropLast() }
        }
        guard MailFormat.isOneLine(name), name.utf8.count <= Self.maxNameBytes else {
            throw .invalidMessage("the name in '\(field)' is too long or has control characters")
        }
        guard Self.isAddress(address) else {
            throw .invalidMessage("'\(field)' is not an e-mail address of the form local@domain")
        }
        self.name = String(name)
        self.address = String(address)
    }

    var domain: Substring { address[address.index(after: address.lastIndex(of: "@") ?? address.startIndex)...] }

    private static func isAddress(_ text: Substring) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= maxAddressBytes, (1...maxLocalBytes).contains(parts[0].utf8.count),
            !parts[1].isEmpty
        else { return false }
        return parts[0].utf8.allSatisfy(isLocal) && !parts[0].hasPrefix(".") && !parts[0].hasSuffix(".")
            && parts[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    /// The `atext` of RFC 5322, section 3.2.3, and dots.
    private static func isLocal(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || "!#$%&'*+-/=?^_`{|}~.".utf8.contains(byte)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
