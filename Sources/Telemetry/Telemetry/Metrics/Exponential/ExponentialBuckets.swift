/// The buckets of one sign of an exponential histogram, from the first one that counted anything to the last.
package struct ExponentialBuckets: Hashable, Sendable {
    /// The index of the first bucket.
    package private(set) var offset = 0
    /// Neither the first nor the last is zero.
    package private(set) var counts: [UInt64] = []

    package init() {}

    /// Buckets of which those at the ends may be zero.
    package init(offset: Int, counts: some RandomAccessCollection<UInt64>) {
        guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }) else {
            return
        }
        self.offset = offset + counts.distance(from: counts.startIndex, to: first)
        self.counts = Array(counts[first...last])
    }

    package var isEmpty: Bool { counts.isEmpty }
    /// Values in all buckets.
    package var total: UInt64 { counts.reduce(0, &+) }
    /// The index of the last bucket.
    var last: Int { offset + counts.count - 1 }

    /// The same values in buckets that are 2^steps times as wide.
    package func downscaled(by steps: Int) -> ExponentialBuckets {
        guard steps > 0, !isEmpty else { return self }
        var wider = ExponentialBuckets()
        wider.offset = offset >> steps
        wider.counts = Array(repeating: 0, count: last >> steps - wider.offset + 1)
        for (position, count) in counts.enumerated() {
            wider.counts[(offset + position) >> steps - wider.offset] &+= count
        }
        return wider
    }

    /// How many steps of scale both have to be downscaled until they fit into so many buckets together.
    func stepsToFit(_ other: ExponentialBuckets, into size: Int) -> Int {
        guard !isEmpty || !other.isEmpty else { return 0 }
        let (left, right) = (isEmpty ? other : self, other.isEmpty ? self : other)
        var (low, high) = (min(left.offset, right.offset), max(left.last, right.last))
        var steps = 0
        while high - low >= size {
            (low, high) = (low >> 1, high >> 1)
            steps += 1
        }
        return steps
    }

    /// Adds buckets of the same scale.
    mutating func add(_ other: ExponentialBuckets) {
        guard !other.isEmpty else { return }
        guard !isEmpty else { return self = other }
        let (low, high) = (min(offset, other.offset), max(last, other.last))
        var sums = [UInt64](repeating: 0, count: high - low + 1)
        for (position, count) in counts.enumerated() { sums[offset - low + position] = count }
        for (position, count) in other.counts.enumerated() { sums[other.offset - low + position] &+= count }
        (offset, counts) = (low, sums)
    }
}
