/// A base-2 exponential histogram as a value (OpenTelemetry data model): as many buckets as `maxSize` for each sign, as
/// narrow as the values allow. When they do not fit, buckets are merged in pairs, which loses nothing but resolution. The
/// outcome depends on which values came, not on their order, nor on how they were spread over histograms before a merge.
package struct ExponentialHistogram: Hashable, Sendable {
    /// Buckets of each sign, as OpenTelemetry has them: a relative error of 5 % over four decades, of 11 % over eight.
    package static let usualSize = 160

    /// Buckets of each sign at most.
    package let maxSize: Int
    /// Values up to this magnitude are counted as zero.
    package let zeroThreshold: Double
    /// Each power of two is divided into 2^scale buckets.
    package private(set) var scale: Int
    package private(set) var zeroCount: UInt64 = 0
    package private(set) var positive = ExponentialBuckets()
    /// By the magnitude of the values.
    package private(set) var negative = ExponentialBuckets()
    package private(set) var sum = 0.0
    /// The smallest value; nil when there is none.
    package private(set) var minimum: Double?
    /// The largest value; nil when there is none.
    package private(set) var maximum: Double?

    /// - Parameters:
    ///   - maxSize: two or more.
    ///   - maxScale: at most `ExponentialIndex.maxScale`; the scale as long as all values fit.
    ///   - zeroThreshold: zero or more.
    package init(
        maxSize: Int = usualSize, maxScale: Int = ExponentialIndex.maxScale, zeroThreshold: Double = 0
    ) {
        self.maxSize = max(2, maxSize)
        self.zeroThreshold = max(0, zeroThreshold)
        scale = min(maxScale, ExponentialIndex.maxScale)
    }

    /// All values.
    package var count: UInt64 { zeroCount &+ positive.total &+ negative.total }

    /// Records a value; one that is not finite is ignored.
    package mutating func record(_ value: Double) {
        guard value.isFinite else { return }
        sum += value
        note(minimum: value, maximum: value)
        guard value.magnitude > zeroThreshold else { return zeroCount &+= 1 }
        let index = ExponentialIndex.of(value.magnitude, scale: scale)
        let bucket = ExponentialBuckets(offset: index, counts: CollectionOfOne(1))
        add(bucket, scale: scale, to: value > 0 ? \.positive : \.negative)
    }

    /// Adds what another histogram of the same zero threshold has recorded.
    package mutating func merge(_ other: ExponentialHistogram) {
        add(positive: other.positive, negative: other.negative, scale: other.scale)
        add(zeroCount: other.zeroCount, sum: other.sum, minimum: other.minimum, maximum: other.maximum)
    }

    /// Adds buckets of any scale.
    package mutating func add(
        positive: ExponentialBuckets = ExponentialBuckets(), negative: ExponentialBuckets = ExponentialBuckets(),
        scale: Int
    ) {
        add(positive, scale: scale, to: \.positive)
        add(negative, scale: scale, to: \.negative)
    }

    /// Adds what is not in buckets.
    package mutating func add(zeroCount: UInt64 = 0, sum: Double = 0, minimum: Double? = nil, maximum: Double? = nil) {
        self.zeroCount &+= zeroCount
        self.sum += sum
        if let minimum, let maximum { note(minimum: minimum, maximum: maximum) }
    }

    /// The same values at this scale, if it is coarser.
    package func downscaled(to scale: Int) -> ExponentialHistogram {
        var copy = self
        copy.downscale(to: scale)
        return copy
    }

    private mutating func downscale(to scale: Int) {
        guard scale < self.scale else { return }
        positive = positive.downscaled(by: self.scale - scale)
        negative = negative.downscaled(by: self.scale - scale)
        self.scale = scale
    }

    private mutating func add(
        _ buckets: ExponentialBuckets, scale: Int, to side: WritableKeyPath<ExponentialHistogram, ExponentialBuckets>
    ) {
        // Nothing says nothing about the scale.
        guard !buckets.isEmpty else { return }
        downscale(to: scale)
        let buckets = buckets.downscaled(by: scale - self.scale)
        let steps = self[keyPath: side].stepsToFit(buckets, into: maxSize)
        downscale(to: self.scale - steps)
        self[keyPath: side].add(buckets.downscaled(by: steps))
    }

    private mutating func note(minimum: Double, maximum: Double) {
        self.minimum = min(self.minimum ?? minimum, minimum)
        self.maximum = max(self.maximum ?? maximum, maximum)
    }
}
