package import PostgreSQL
internal import Telemetry
internal import Values

/// The identifier of a row: a UUID (RFC 9562) in sixteen bytes, so that reading, comparing and writing one allocates
/// nothing. As text it is in lower case.
package struct ID: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    /// What a model that was never stored has.
    package static let none = ID(high: 0, low: 0)

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new random one (version 4).
    package static func make() -> ID {
        let high = UInt64.random(in: .min ... .max) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = UInt64.random(in: .min ... .max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return ID(high: high, low: low)
    }

    /// Reads `8-4-4-4-12` hexadecimal digits in any case; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parsed = text.utf8.withContiguousStorageIfAvailable { ID(bytes: UnsafeRawBufferPointer($0)) }
        guard let id = parsed ?? Array(text.utf8).withUnsafeBytes({ ID(bytes: $0) }) else { return nil }
        self = id
    }

    init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.textBytes else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for index in 0..<Self.textBytes {
            let byte = bytes[index]
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte &- 0x30
            case 0x61...0x66: digit = byte &- 0x57
            case 0x41...0x46: digit = byte &- 0x37
            default: return nil
            }
            if digits < 16 { words.0 = words.0 << 4 | UInt64(digit) } else { words.1 = words.1 << 4 | UInt64(digit) }
            digits &+= 1
        }
        self.init(high: words.0, low: words.1)
    }

    static let textBytes = 36

    /// Appends the text, without quotes.
    func writeText(to buffer: inout ByteBuffer) {
        buffer.reserve(Self.textBytes)
        var digit = 0
        for index in 0..<Self.textBytes {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                buffer.append(UInt8(ascii: "-"))
                continue
            }
            let word = digit < 16 ? high : low
            let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4)) & 0xF
            buffer.append(nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x57)
            digit &+= 1
        }
    }
}

extension ID: CustomStringConvertible {
    package var description: String {
        var buffer = ByteBuffer(capacity: Self.textBytes)
        writeText(to: &buffer)
        return buffer.string()
    }
}

extension ID: PostgreSQLEncodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(description) }
}
