/// W3C baggage: a small ordered set of name and value pairs, values decoded.
package struct Baggage: Hashable, Sendable {
    /// The members in the order in which they were set.
    package private(set) var entries: [Entry]

    /// One member of the list.
    package struct Entry: Hashable, Sendable {
        package let key: String
        package let value: String
        /// The properties after the first semicolon as they were sent; empty without any.
        package let properties: String

        init(key: String, value: String, properties: String = "") {
            self.key = key
            self.value = value
            self.properties = properties
        }
    }

    package init() { entries = [] }
    init(entries: [Entry]) { self.entries = entries }

    /// The value of a key. Setting one replaces it, and takes its place at the end; nil removes it.
    package subscript(_ key: String) -> String? {
        get { entries.first { $0.key == key }?.value }
        set {
            entries.removeAll { $0.key == key }
            if let newValue { entries.append(Entry(key: key, value: newValue)) }
        }
    }

    package var isEmpty: Bool { entries.isEmpty }
}

/// The `baggage` header (W3C Baggage, section 3.3). A malformed member is left out, the others stay.
enum BaggageCodec {
    /// The limits of the standard, beyond which members are dropped.
    static let maxMembers = 64
    static let maxBytes = 8_192

    // MARK: Reading

    /// The members of a header. The member of the request id is kept apart.
    static func parse(_ header: String) -> (baggage: Baggage, requestID: String?) {
        header.utf8.withContiguousStorageIfAvailable(parse)
            ?? Array(header.utf8).withUnsafeBufferPointer(parse)
    }

    private static func parse(_ header: UnsafeBufferPointer<UInt8>) -> (baggage: Baggage, requestID: String?) {
        var entries: [Baggage.Entry] = []
        var requestID: String?
        let end = min(header.count, maxBytes)
        var start = 0
        while start < end {
            var comma = start
            while comma < end, header[comma] != UInt8(ascii: ",") { comma += 1 }
            // What the limit cut in two is not a member.
            if comma == end, end < header.count, header[end] != UInt8(ascii: ",") { break }
            if let member = Member(UnsafeBufferPointer(rebasing: header[start..<comma])) {
                if member.isRequestID {
                    requestID = member.entry.value
                } else if let index = entries.firstIndex(where: { $0.key == member.entry.key }) {
                    entries[index] = member.entry
                } else if entries.count < maxMembers {
                    entries.append(member.entry)
                }
            }
            start = comma + 1
        }
        return (Baggage(entries: entries), requestID)
    }

    /// One well-formed member.
    private struct Member {
        let entry: Baggage.Entry
        let isRequestID: Bool

        init?(_ bytes: UnsafeBufferPointer<UInt8>) {
            let semicolon = bytes.firstIndex(of: UInt8(ascii: ";")) ?? bytes.count
            guard let equals = bytes[..<semicolon].firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let key = BaggageCodec.trimmed(bytes, 0, equals)
            let value = BaggageCodec.trimmed(bytes, equals + 1, semicolon)
            guard !key.isEmpty, key.allSatisfy(isTokenCharacter), value.allSatisfy(isValueCharacter) else { return nil }
            var properties = ""
            if semicolon < bytes.count {
                let text = BaggageCodec.trimmed(bytes, semicolon + 1, bytes.count)
                // Properties are passed on untouched, unless they hold what no header may.
                if text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }) {
                    properties = String(decoding: text, as: UTF8.self)
                }
            }
            entry = Baggage.Entry(
                key: String(decoding: key, as: UTF8.self), value: percentDecoded(value), properties: properties)
            isRequestID = entry.key == Propagation.requestIDMember
        }
    }

    /// Octets that are not UTF-8 become U+FFFD; a percent sign without two digits stands for itself.
    private static func percentDecoded(_ value: UnsafeBufferPointer<UInt8>) -> String {
        guard value.contains(UInt8(ascii: "%")) else { return String(decoding: value, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var index = 0
        while index < value.count {
            if value[index] == UInt8(ascii: "%"), index + 2 < value.count,
                let high = Hexadecimal.value(value[index + 1]), let low = Hexadecimal.value(value[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(value[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The bytes from `start` to `end` without the white space around them.
    private static func trimmed(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int)
        -> UnsafeBufferPointer<UInt8>
    {
        var (start, end) = (start, end)
        while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
        while start < end, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
        return UnsafeBufferPointer(rebasing: bytes[start..<end])
    }

    // MARK: Writing

    /// Appends a member, unless that would break a limit or its key is not a token. The member count is the caller's.
    /// - Returns: whether it was appended.
    static func append(key: String, value: String, properties: String = "", to buffer: inout ByteBuffer) -> Bool {
        guard !key.isEmpty, key.utf8.span.isAll(in: tokens) else { return false }
        let start = buffer.count
        if start > 0 { buffer.append(UInt8(ascii: ",")) }
        buffer.append(key)
        buffer.append(UInt8(ascii: "="))
        if value.utf8.span.isAll(in: plainValues) {
            buffer.append(value)
        } else {
            appendEncoded(value, to: &buffer)
        }
        if !properties.isEmpty {
            buffer.append(UInt8(ascii: ";"))
            buffer.append(properties)
        }
        if buffer.count > maxBytes {
            buffer.count = start
            return false
        }
        return true
    }

    private static func appendEncoded(_ value: String, to buffer: inout ByteBuffer) {
        for byte in value.utf8 {
            if plainValues.contains(byte) {
                buffer.append(byte)
            } else {
                buffer.append(UInt8(ascii: "%"))
                buffer.append(upperHex(byte >> 4))
                buffer.append(upperHex(byte & 0xF))
            }
        }
    }

    private static func upperHex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble + 0x30 : nibble + 0x37 }

    /// RFC 7230 `tchar`.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool { tokens.contains(byte) }

    /// `baggage-octet`: visible ASCII but quote, comma, semicolon and backslash.
    private static func isValueCharacter(_ byte: UInt8) -> Bool { values.contains(byte) }

    private static let tokens = ASCIISet(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    private static let values = ASCIISet(0x21...0x7E, without: "\",;\\")
    /// What a value may hold as it is: a percent sign begins an encoded octet.
    private static let plainValues = ASCIISet(0x21...0x7E, without: "\",;\\%")
}

/// A set of ASCII characters as two words: membership costs a shift.
struct ASCIISet: Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ characters: StaticString) {
        characters.withUTF8Buffer { for byte in $0 { insert(byte) } }
    }

    init(_ range: ClosedRange<UInt8>, without excluded: StaticString) {
        for byte in range { insert(byte) }
        excluded.withUTF8Buffer { for byte in $0 { remove(byte) } }
    }

    private mutating func insert(_ byte: UInt8) {
        if byte < 64 { low |= 1 << UInt64(byte) } else if byte < 128 { high |= 1 << UInt64(byte - 64) }
    }

    private mutating func remove(_ byte: UInt8) {
        if byte < 64 { low &= ~(1 << UInt64(byte)) } else if byte < 128 { high &= ~(1 << UInt64(byte - 64)) }
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : byte < 128 ? high : 0
        return word >> UInt64(byte & 63) & 1 != 0
    }
}

extension Swift.Span where Element == UInt8 {
    /// Whether every byte is in the set.
    func isAll(in set: ASCIISet) -> Bool {
        for index in indices where !set.contains(self[index]) { return false }
        return true
    }
}
