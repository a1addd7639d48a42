/// Character classes of RFC 9110 and RFC 3986 as bit masks: one shift and one test a byte, no table in memory.
struct ByteClass: Sendable {
    /// Bytes 0 to 63.
    let low: UInt64
    /// Bytes 64 to 127; a byte above is in no class.
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && word &>> UInt64(byte) & 1 != 0
    }

    /// `tchar` (RFC 9110, section 5.6.2): letters, digits and ``!#$%&'*+-.^_`|~``.
    static let token = ByteClass(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)

    /// `pchar` (RFC 3986, section 3.3) without what needs a closer look: `%`, `.` and `;`.
    static let plainPath = ByteClass(low: 0x27ff_3fd2_0000_0000, high: 0x47ff_fffe_87ff_ffff)

    /// What a query may hold besides `%`: every visible character but `#`. Clients send brackets, braces and bars
    /// unencoded, and nothing splits a message at them.
    static let plainQuery = ByteClass(low: 0xffff_ffd6_0000_0000, high: 0x7fff_ffff_ffff_ffff)

    /// Letters, digits, `-`, `.` and `_` of a host name. The rest of `reg-name` never occurs in one, and a comma there
    /// is two merged fields.
    static let hostName = ByteClass(low: 0x03ff_6000_0000_0000, high: 0x07ff_fffe_87ff_fffe)

    /// Hexadecimal digits, `:` and `.` of an IPv6 address.
    static let addressLiteral = ByteClass(low: 0x07ff_4000_0000_0000, high: 0x0000_007e_0000_007e)

    static let digit = ByteClass(low: 0x03ff_0000_0000_0000, high: 0)

    /// `qdtext` without the tab and obs-text (RFC 9110, section 5.6.4).
    static let quotedText = ByteClass(low: 0xffff_fffb_0000_0000, high: 0x7fff_ffff_efff_ffff)

    /// `field-vchar`, space and tab (RFC 9110, section 5.5); obs-text is allowed, control characters are not.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x41 &+ 10
        case 0x61...0x66: byte &- 0x61 &+ 10
        default: nil
        }
    }

    /// ASCII lower case of a letter; other bytes unchanged.
    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
