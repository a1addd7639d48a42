import Testing

@testable import HTTPCodec

/// The masks are numbers that nobody can read: each is held against its definition, for all 256 bytes.
@Suite struct ByteClassTests {
    private static let alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    private static let visible = String(decoding: UInt8(0x21)...0x7E, as: UTF8.self)

    private func members(_ isMember: (UInt8) -> Bool) -> Set<UInt8> { Set((UInt8.min...UInt8.max).filter(isMember)) }

    @Test func holdWhatTheirDefinitionsSay() {
        let alphanumeric = Self.alphanumeric
        let visible = Set(Self.visible.utf8)
        #expect(members(ByteClass.token.contains) == Set((alphanumeric + "!#$%&'*+-.^_`|~").utf8))
        #expect(members(ByteClass.plainPath.contains) == Set((alphanumeric + "-_~!$&'()*+,=:@").utf8))
        #expect(members(ByteClass.plainQuery.contains) == visible.subtracting("#%".utf8))
        #expect(members(ByteClass.hostName.contains) == Set((alphanumeric + "-._").utf8))
        #expect(members(ByteClass.addressLiteral.contains) == Set("0123456789abcdefABCDEF:.".utf8))
        #expect(members(ByteClass.digit.contains) == Set("0123456789".utf8))
        #expect(members(ByteClass.quotedText.contains) == visible.union([0x20]).subtracting("\"\\".utf8))
        #expect(members(ByteClass.isFieldValue) == visible.union([0x20, 0x09]).union(0x80...0xFF))
    }

    @Test func foldsLettersOnly() {
        for byte in UInt8.min...UInt8.max {
            let isUpper = (0x41...0x5A).contains(byte)
            #expect(ByteClass.lower(byte) == (isUpper ? byte + 32 : byte))
        }
    }

    @Test func readsHexadecimalDigits() {
        for byte in UInt8.min...UInt8.max {
            let expected = byte < 0x80 ? Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) } : nil
            #expect(ByteClass.hex(byte) == expected)
        }
    }

    /// Eight bytes at a time must find what one at a time finds, wherever it lies.
    @Test func findsControlCharactersAtEveryPlace() {
        for length in [1, 7, 8, 9, 17] {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    for filler in [UInt8(0x61), 0x09, 0x20, 0x80, 0xFF] {
                        var bytes = [UInt8](repeating: filler, count: length)
                        bytes[place] = byte
                        let expected = ByteClass.isFieldValue(byte) ? length : place
                        let found = bytes.span.indexOfControl(from: 0, to: length)
                        if found != expected { Issue.record("\(byte) at \(place) of \(length): \(found)") }
                    }
                }
            }
        }
    }
}
