/// Decimal numbers as bytes, without making a `String`.
enum Decimal {
    /// Digits and sign of the smallest number.
    static let maxDigits = 20

    static func append(_ number: Int, to output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxDigits) { buffer in
            output.append(contentsOf: buffer[write(number, to: buffer)...])
        }
    }

    /// Writes to the end of a buffer of `maxDigits` bytes.
    /// - Returns: where the number begins.
    static func write(_ number: Int, to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var left = number.magnitude
        var index = buffer.count
        repeat {
            let (quotient, digit) = left.quotientAndRemainder(dividingBy: 10)
            index -= 1
            buffer[index] = 0x30 + UInt8(truncatingIfNeeded: digit)
            left = quotient
        } while left > 0
        if number < 0 {
            index -= 1
            buffer[index] = 0x2D
        }
        return index
    }

    static func appendHex(_ number: Int, to output: inout [UInt8]) {
        var shift = max(0, (Int.bitWidth - number.leadingZeroBitCount - 1) / 4 * 4)
        while shift >= 0 {
            let digit = UInt8(number >> shift & 15)
            output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            shift -= 4
        }
    }
}
