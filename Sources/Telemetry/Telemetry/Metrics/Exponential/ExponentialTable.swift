/// The bounds of the 256 buckets that scale 8 divides an octave into: finding one of them takes a look at the first bits of
/// the mantissa and two comparisons. Coarser scales are the same index shifted.
package struct ExponentialTable: @unchecked Sendable {
    // Safety (`@unchecked Sendable`): what the pointers point to is written before the value is made, lives for ever and
    // never changes.
    /// The scale of the table.
    package static let scale = 8
    /// Made at its first use.
    package static let shared = ExponentialTable()

    private static let bucketCount = 1 << scale
    private static let mantissaBits = 52

    /// The largest mantissa of each bucket.
    @usableFromInline let bounds: UnsafePointer<UInt64>
    /// The bucket in which each 256th part of the octave begins; two more may begin in it.
    @usableFromInline let first: UnsafePointer<UInt8>

    private init() {
        let bounds = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.bucketCount)
        let first = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.bucketCount)
        let roots = Self.roots()
        for bucket in 0..<Self.bucketCount { bounds[bucket] = Self.bound(bucket + 1, roots) }
        var bucket = 0
        for part in 0..<Self.bucketCount {
            while bounds[bucket] < UInt64(part) << UInt64(Self.mantissaBits - Self.scale) { bucket += 1 }
            first[part] = UInt8(bucket)
        }
        self.bounds = UnsafePointer(bounds)
        self.first = UnsafePointer(first)
    }

    /// The bucket within the octave; -1, the last one of the octave below, for a power of two.
    @inlinable @inline(__always)
    package func position(_ mantissa: UInt64) -> Int {
        var bucket = Int(first[Int(truncatingIfNeeded: mantissa >> 44)])
        bucket &+= mantissa > bounds[bucket] ? 1 : 0
        bucket &+= mantissa > bounds[bucket] ? 1 : 0
        return bucket &- (mantissa == 0 ? 1 : 0)
    }

    // MARK: Exact bounds

    // Numbers from one to below two, with 127 bits behind the point: rounding `exp2` could put a value that equals a bound
    // into the wrong bucket.

    /// 2^(position / 256) as a mantissa, rounded down.
    private static func bound(_ position: Int, _ roots: [UInt128]) -> UInt64 {
        guard position < bucketCount else { return 1 << UInt64(mantissaBits) }
        var product = UInt128(1) << 127
        for (bit, root) in roots.enumerated() where position >> (scale - 1 - bit) & 1 == 1 {
            let (high, low) = product.multipliedFullWidth(by: root)
            product = high << 1 | low >> 127
        }
        return UInt64(truncatingIfNeeded: product >> UInt128(127 - mantissaBits)) - 1 << UInt64(mantissaBits)
    }

    /// 2^(1/2), 2^(1/4), …, 2^(1/256).
    private static func roots() -> [UInt128] {
        var roots: [UInt128] = []
        var square = (high: UInt128(1) << 127, low: UInt128(0))
        for _ in 0..<scale {
            let root = squareRoot(square)
            roots.append(root)
            square = (root >> 1, root << 127)
        }
        return roots
    }

    /// - Parameter square: with two bits before the point.
    private static func squareRoot(_ square: (high: UInt128, low: UInt128)) -> UInt128 {
        var root: UInt128 = 0
        for bit in stride(from: UInt128(127), through: 0, by: -1) {
            let larger = root | 1 << bit
            let (high, low) = larger.multipliedFullWidth(by: larger)
            if (high, low) <= square { root = larger }
        }
        return root
    }
}
