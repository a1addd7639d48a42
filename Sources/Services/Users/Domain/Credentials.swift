/// What e-mail addresses, user names and passwords must look like.
enum Credentials {
    static let maxEmailBytes = 254
    static let maxNameBytes = 200
    /// bcrypt reads no further.
    static let maxPasswordBytes = 72
    static let minPasswordCharacters = 8

    /// One `@`, a name before it, a dotted domain behind it, no white space or control characters (a workable part of
    /// RFC 5321, section 4.1.2; the proof of an address is a message to it).
    static func isEmail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= maxEmailBytes, !parts[0].isEmpty, parts[0].utf8.count <= 64 else {
            return false
        }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2 else { return false }
        for label in labels {
            guard (1...63).contains(label.utf8.count), label.first != "-", label.last != "-",
                label.utf8.allSatisfy(isDomainByte)
            else { return false }
        }
        return parts[0].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Array("\"(),:;<>[\\]".utf8).contains($0) }
    }

    /// Whether there can be an account of this name: the union of what registration takes.
    static func isLogin(_ text: String) -> Bool {
        (1...maxEmailBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static func isDomainByte(_ byte: UInt8) -> Bool {
        byte == 0x2D || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// What is wrong with a password; nil when nothing is.
    static func weakness(ofPassword password: String) -> String? {
        if password.count < minPasswordCharacters { return "the password must have at least 8 characters" }
        if password.utf8.count > maxPasswordBytes { return "the password must have at most 72 bytes" }
        if password.utf8.contains(0) { return "the password must not hold a NUL" }
        let bytes = password.utf8
        if !bytes.contains(where: { (0x41...0x5A).contains($0) }) {
            return "the password must have an upper-case letter"
        }
        if !bytes.contains(where: { (0x61...0x7A).contains($0) }) {
            return "the password must have a lower-case letter"
        }
        if !bytes.contains(where: { (0x30...0x39).contains($0) }) { return "the password must have a digit" }
        return nil
    }

    /// Letters, digits, `.`, `_`, `-`, `@` and `+`, 3 to 150: names are compared without case.
    static func isUsername(_ text: String) -> Bool {
        (3...150).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || Array("._-@+".utf8).contains($0)
            }
    }

    /// A person's name or telephone number: some text without control characters.
    static func isPlainText(_ text: String, maxBytes: Int = maxNameBytes) -> Bool {
        text.utf8.count <= maxBytes && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }
}

/// The roles that a user may have.
enum Role: String, CaseIterable, Sendable {
    case admin, manager, accountant
    case shopManager = "shop_manager"
    case user
}
