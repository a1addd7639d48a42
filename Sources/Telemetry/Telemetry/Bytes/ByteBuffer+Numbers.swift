/// Numbers as text, without Foundation and (but for fractions) without allocation.
extension ByteBuffer {
    /// Appends the decimal digits.
    package mutating func appendDecimal(_ value: UInt64) {
        // Stores are eight bytes wide, whatever the number takes.
        reserve(24)
        if value < 100_000_000 { return appendUpToEightDigits(UInt32(truncatingIfNeeded: value)) }
        let (high, low) = value.quotientAndRemainder(dividingBy: 100_000_000)
        if high < 100_000_000 {
            appendUpToEightDigits(UInt32(truncatingIfNeeded: high))
        } else {
            let (highest, middle) = high.quotientAndRemainder(dividingBy: 100_000_000)
            appendUpToEightDigits(UInt32(truncatingIfNeeded: highest))
            appendEightDigits(UInt32(truncatingIfNeeded: middle))
        }
        appendEightDigits(UInt32(truncatingIfNeeded: low))
    }

    /// Appends the decimal digits, a minus sign in front of a negative number.
    package mutating func appendDecimal(_ value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(UInt64(value.magnitude))
    }

    /// Appends exactly `width` digits, zeros in front; higher digits are cut.
    package mutating func appendPadded(_ value: UInt64, width: Int) {
        reserve(width)
        var rest = value
        var index = count &+ width
        while index > count {
            index &-= 1
            base[index] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        count &+= width
    }

    /// Appends six digits, zeros in front; `value` is below a million.
    @inline(__always)
    mutating func appendSixDigits(_ value: UInt32) {
        reserve(8)
        let digits = ByteBuffer.eightDigits(value) >> 16 | 0x3030_3030_3030
        UnsafeMutableRawPointer(base + count).storeBytes(of: digits.littleEndian, as: UInt64.self)
        count &+= 6
    }

    /// Room for eight bytes is there.
    @inline(__always)
    private mutating func appendEightDigits(_ value: UInt32) {
        let digits = ByteBuffer.eightDigits(value) | 0x3030_3030_3030_3030
        UnsafeMutableRawPointer(base + count).storeBytes(of: digits.littleEndian, as: UInt64.self)
        count &+= 8
    }

    /// Without zeros in front. Room for eight bytes is there.
    @inline(__always)
    private mutating func appendUpToEightDigits(_ value: UInt32) {
        let digits = ByteBuffer.eightDigits(value)
        // The last digit stays, even of a zero.
        let zeros = min(7, digits.trailingZeroBitCount / 8)
        let text = (digits | 0x3030_3030_3030_3030) >> UInt64(zeros * 8)
        UnsafeMutableRawPointer(base + count).storeBytes(of: text.littleEndian, as: UInt64.self)
        count &+= 8 &- zeros
    }

    /// The digits of a number below a hundred million as values from 0 to 9, the first one in the lowest byte: the
    /// halves, then the quarters, then the digits are divided side by side in one word.
    @inline(__always)
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        let halves = UInt64(value / 10_000) | UInt64(value % 10_000) << 32
        let hundreds = (halves &* 10_486) >> 20 & 0x0000_007F_0000_007F
        let pairs = hundreds | (halves &- hundreds &* 100) << 16
        let tens = (pairs &* 103) >> 10 & 0x000F_000F_000F_000F
        return tens | (pairs &- tens &* 10) << 8
    }

    /// Appends 16 lower-case hexadecimal digits.
    package mutating func appendHex(_ value: UInt64) {
        reserve(16)
        appendReservedHex(value)
    }

    /// Appends 16 lower-case hexadecimal digits where room for them is reserved.
    @inline(__always)
    mutating func appendReservedHex(_ value: UInt64) {
        let target = UnsafeMutableRawPointer(base + count)
        target.storeBytes(of: ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: value >> 32)), as: UInt64.self)
        target.storeBytes(
            of: ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: value)), toByteOffset: 8, as: UInt64.self)
        count &+= 16
    }

    /// Eight digits at once, the first one in the lowest byte.
    @inline(__always)
    static func hexDigits(_ value: UInt32) -> UInt64 {
        // Spread the nibbles to one a byte, highest first in memory.
        var spread = UInt64(value.byteSwapped)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread >> 4 | spread << 8) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte that holds 10 or more: those are letters.
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).littleEndian
    }

    @inline(__always)
    static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x57 }

    /// Appends a number as the Prometheus text formats write it: integers without a fraction, else the shortest
    /// text that reads back as the same value; `NaN`, `+Inf`, `-Inf`.
    package mutating func appendNumber(_ value: Double) {
        if value.magnitude < 1e15, value == value.rounded(.towardZero) {
            appendDecimal(Int(value))
        } else if value.isFinite {
            append(value.description)
        } else {
            append(value.isNaN ? "NaN" : value > 0 ? "+Inf" : "-Inf" as StaticString)
        }
    }

    /// Appends a bucket bound as OpenMetrics calls canonical: `0.005`, `1.0`, `10.0`, `+Inf`.
    package mutating func appendCanonicalFloat(_ value: Double) {
        if value.isFinite { append(value.description) } else { appendNumber(value) }
    }

    /// Appends `YYYY-MM-DDTHH:MM:SS` (UTC).
    /// - Parameter seconds: since 1970, from year 0 to 9999.
    mutating func appendDateTime(unixSeconds seconds: Int64) {
        // Days to a civil date by eras of 400 years that begin on 1 March, so that leap days come last.
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let secondOfDay = UInt64(seconds - days * 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        appendPadded(UInt64(max(0, year)), width: 4)
        append(UInt8(ascii: "-"))
        appendPadded(UInt64(month), width: 2)
        append(UInt8(ascii: "-"))
        appendPadded(UInt64(day), width: 2)
        append(UInt8(ascii: "T"))
        appendPadded(secondOfDay / 3_600, width: 2)
        append(UInt8(ascii: ":"))
        appendPadded(secondOfDay / 60 % 60, width: 2)
        append(UInt8(ascii: ":"))
        appendPadded(secondOfDay % 60, width: 2)
    }
}
