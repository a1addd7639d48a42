/// The `tracestate` header (W3C Trace Context level 2, section 3.3): a list of vendors' members that is checked,
/// tidied and passed on, never interpreted.
enum TraceState {
    private static let maxMembers = 32
    private static let maxKeyBytes = 256
    private static let maxValueBytes = 256
    /// What is passed on at most; the standard asks for at least this much.
    static let maxBytes = 512
    /// Members longer than this are the first to go.
    private static let longMemberBytes = 128
    /// A header longer than this is not even looked at.
    private static let maxHeaderBytes = 16 * 1024

    /// The header in canonical form, without optional white space and empty members; empty when any rule is broken,
    /// because a list that is partly wrong cannot be trusted.
    static func parse(_ header: String) -> String {
        let bytes = Array(header.utf8)
        guard bytes.count <= maxHeaderBytes else { return "" }
        var members: [ArraySlice<UInt8>] = []
        for part in bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: true) {
            let member = trim(part)
            if member.isEmpty { continue }
            guard members.count < maxMembers, let key = validKey(member),
                !members.contains(where: { hasKey($0, key) })
            else { return "" }
            members.append(member)
        }
        var total = members.reduce(max(0, members.count - 1)) { $0 + $1.count }
        if total > maxBytes {
            // Whole members only, the long ones first, then from the end (section 3.3.1.5).
            for index in members.indices.reversed() where total > maxBytes && members[index].count > longMemberBytes {
                total -= members[index].count + 1
                members.remove(at: index)
            }
            while total > maxBytes, let last = members.popLast() { total -= last.count + 1 }
        }
        return String(decoding: Array(members.joined(separator: [UInt8(ascii: ",")])), as: UTF8.self)
    }

    private static func trim(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var slice = slice
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return slice
    }

    /// The key of a well-formed member.
    private static func validKey(_ member: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let key = member[..<equals]
        let value = member[(equals + 1)...]
        guard let first = key.first, isLower(first) || isDigit(first), key.count <= maxKeyBytes,
            key.allSatisfy(isKeyCharacter), !value.isEmpty, value.count <= maxValueBytes,
            value.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") })
        else { return nil }
        return key
    }

    private static func hasKey(_ member: ArraySlice<UInt8>, _ key: ArraySlice<UInt8>) -> Bool {
        member.count > key.count && member[member.startIndex + key.count] == UInt8(ascii: "=")
            && member.starts(with: key)
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isKeyCharacter(_ byte: UInt8) -> Bool {
        if isLower(byte) || isDigit(byte) { return true }
        switch byte {
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "@"): return true
        default: return false
        }
    }
}
