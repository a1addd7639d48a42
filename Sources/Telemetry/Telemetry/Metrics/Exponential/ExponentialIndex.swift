internal import Glibc

/// Which bucket of a base-2 exponential histogram a value belongs to (OpenTelemetry data model, ExponentialHistogram): at
/// scale `s` bucket `i` holds what is above 2^(i / 2^s) and at most 2^((i + 1) / 2^s).
///
/// Exact for every positive number, subnormal ones too: a logarithm decides only where its error cannot matter.
package enum ExponentialIndex {
    /// The finest scale, at which every index fits 32 bits.
    package static let maxScale = 20

    private static let mantissaBits = 52
    private static let mantissaMask: UInt64 = 1 << 52 - 1
    private static let exponentBias = 1023

    /// The index of the bucket of a value.
    /// - Parameters:
    ///   - value: finite, above zero.
    ///   - scale: at most `maxScale`; below zero a bucket spans several powers of two.
    package static func of(_ value: Double, scale: Int) -> Int {
        let (exponent, mantissa) = parts(value)
        guard scale > ExponentialTable.scale else {
            let index = exponent << ExponentialTable.scale + ExponentialTable.shared.position(mantissa)
            return index >> (ExponentialTable.scale - scale)
        }
        // A power of two is the upper bound of its bucket.
        guard mantissa > 0 else { return exponent << scale - 1 }
        return exponent << scale + fraction(mantissa, scale)
    }

    /// The value as 2^exponent · (1 + mantissa / 2^52).
    private static func parts(_ value: Double) -> (exponent: Int, mantissa: UInt64) {
        let mantissa = value.bitPattern & mantissaMask
        let biased = Int(value.bitPattern >> mantissaBits & 0x7FF)
        guard biased == 0 else { return (biased - exponentBias, mantissa) }
        // Subnormal: the highest bit that is set stands for the one before the point.
        let shift = mantissa.leadingZeroBitCount - (63 - mantissaBits)
        return (1 - exponentBias - shift, mantissa << shift & mantissaMask)
    }

    /// The whole part of log2(1 + mantissa / 2^52) · 2^scale, of a mantissa above zero. It is never an integer.
    private static func fraction(_ mantissa: UInt64, _ scale: Int) -> Int {
        let value = Double(bitPattern: UInt64(exponentBias) << mantissaBits | mantissa)
        let guess = log2(value) * Double(1 << scale)
        // The logarithm is wrong by some 2^-52, that is 2^-32 buckets of the finest scale.
        let margin = 0x1p-20
        return (guess - guess.rounded()).magnitude > margin ? Int(guess) : exactFraction(mantissa, scale)
    }

    /// The same bit by bit: each squaring of the number doubles its logarithm. After 20 of them 107 bits are right; no
    /// number of 53 bits is that close to a bound.
    static func exactFraction(_ mantissa: UInt64, _ scale: Int) -> Int {
        // One bit before the point.
        var number = UInt128(1) << 127 | UInt128(mantissa) << (127 - mantissaBits)
        var bits = 0
        for _ in 0..<scale {
            let square = number.multipliedFullWidth(by: number)
            let isTwo = square.high >> 127
            bits = bits << 1 | Int(isTwo)
            number = isTwo == 1 ? square.high : square.high << 1 | square.low >> 127
        }
        return bits
    }
}
