/// Character classes of RFC 9110 and RFC 3986 as bit masks: one shift and one test a byte, no table in memory.
@usableFromInline
struct ByteClass: Sendable {
    let low: UInt64
    let high: UInt64

    init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        if byte < 64 { return low >> UInt64(byte) & 1 != 0 }
        if byte < 128 { return high >> UInt64(byte - 64) & 1 != 0 }
        return false
    }

    /// `tchar` (RFC 9110, section 5.6.2): letters, digits and ``!#$%&'*+-.^_`|~``.
    static let token = ByteClass(
        low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)

    /// Characters of a request target in origin form (RFC 3986: pchar, `/`, `?`), percent sign included.
    static let target = ByteClass(low: 0xafff_fff2_0000_0000, high: 0x47ff_fffe_afff_ffff)

    /// Characters of a host and port (RFC 3986, section 3.2.2).
    static let host = ByteClass(low: 0x2fff_7ff2_0000_0000, high: 0x47ff_fffe_afff_fffe)

    /// `field-vchar`, space and tab (RFC 9110, section 5.5); obs-text is allowed, control characters are not.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// ASCII lower case of a letter; other bytes unchanged.
    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }
}
