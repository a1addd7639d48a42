/// Durations in buckets that grow by 1/32: percentiles within 3 % from 1 µs to over an hour, in fixed memory.
package struct Latencies: Sendable {
    private var counts = [Int](repeating: 0, count: 32 * 34)
    package private(set) var count = 0
    package private(set) var maxNanoseconds: UInt64 = 0

    package init() {}

    package mutating func record(_ nanoseconds: UInt64) {
        counts[Self.index(nanoseconds / 1_000)] += 1
        count += 1
        maxNanoseconds = max(maxNanoseconds, nanoseconds)
    }

    /// The upper end of the bucket that holds this share of the durations, in milliseconds; nil when there are none.
    /// - Parameter share: 0 to 1.
    package func percentile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        var left = max(1, Int((share * Double(count)).rounded(.up)))
        for (index, number) in counts.enumerated() {
            left -= number
            if left <= 0 {
                return min(Double(Self.upperMicroseconds(index)) / 1_000, Double(maxNanoseconds) / 1e6)
            }
        }
        return Double(maxNanoseconds) / 1e6
    }

    package mutating func add(_ other: Latencies) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maxNanoseconds = max(maxNanoseconds, other.maxNanoseconds)
    }

    /// 0…31 one a microsecond; from there 32 buckets a power of two.
    private static func index(_ microseconds: UInt64) -> Int {
        guard microseconds >= 32 else { return Int(microseconds) }
        let exponent = 63 - microseconds.leadingZeroBitCount
        let within = Int(microseconds >> UInt64(exponent - 5)) - 32
        return min((exponent - 4) * 32 + within, 32 * 34 - 1)
    }

    private static func upperMicroseconds(_ index: Int) -> UInt64 {
        guard index >= 32 else { return UInt64(index + 1) }
        let exponent = index / 32 + 4
        return UInt64(32 + index % 32 + 1) << UInt64(exponent - 5)
    }
}
