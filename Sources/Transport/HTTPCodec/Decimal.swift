/// Decimal numbers as bytes, without making a `String`.
enum Decimal {
    static func append(_ number: Int, to output: inout [UInt8]) {
        var left = number.magnitude
        if number < 0 { output.append(0x2D) }
        if left < 10 {
            output.append(0x30 + UInt8(left))
            return
        }
        var width = 1
        var bound: UInt = 10
        while left >= bound {
            width += 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        output.append(contentsOf: repeatElement(0x30, count: width))
        var index = output.count
        while left > 0 {
            index -= 1
            output[index] = 0x30 + UInt8(left % 10)
            left /= 10
        }
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
