/// Label values in the order of the declaration, wherever they are stored.
package typealias LabelValues = Swift.Span<String>

/// What the series of a metric are found by.
enum LabelKey {
    /// Different in each process, so that nobody outside can choose label values that collide.
    private static let seed = (state: UInt64.random(in: .min ... .max), factor: UInt64.random(in: .min ... .max) | 1)

    /// Of the bytes of the values and their lengths, eight at a time, folded by 128-bit multiplication (the construction
    /// of wyhash). One multiplication for each value of up to 16 bytes.
    @inline(__always)
    static func hash(_ values: LabelValues) -> UInt64 {
        let seed = seed
        var state = seed.state
        for index in values.indices {
            state = withBytes(of: values[index]) { hash($0, state, seed.factor) }
        }
        return state
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer, _ state: UInt64, _ factor: UInt64) -> UInt64 {
        let count = bytes.count
        let factor = factor &+ UInt64(truncatingIfNeeded: count)
        if count < 4 {
            var word: UInt64 = 0
            for byte in bytes { word = word << 8 | UInt64(byte) }
            return fold(state ^ word, factor)
        }
        if count < 8 {
            let low = UInt64(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            let high = UInt64(bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            return fold(state ^ (high << 32 | low), factor)
        }
        var state = state
        var index = 0
        while index &+ 16 < count {
            let first = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let second = bytes.loadUnaligned(fromByteOffset: index &+ 8, as: UInt64.self)
            state = fold(state ^ first, factor ^ second)
            index &+= 16
        }
        // What is left, or some of it twice: from 8 to 16 bytes.
        let first = bytes.loadUnaligned(fromByteOffset: min(index, count &- 8), as: UInt64.self)
        let last = bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        return fold(state ^ first, factor ^ last)
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// The UTF-8 of a value; a copy when its storage is not contiguous.
    @inline(__always)
    private static func withBytes<R>(of text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        if let result = text.utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
            return result
        }
        return Array(text.utf8).withUnsafeBytes(body)
    }

    /// The order in which series are shown: that of the bytes of their values, one value after the other.
    static func precedes(_ left: [String], _ right: [String]) -> Bool {
        for (left, right) in zip(left, right) where !left.utf8.elementsEqual(right.utf8) {
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        return false
    }
}
