internal import CThread
internal import Glibc
internal import Synchronization

/// The exponential form of one histogram series: for each thread a window of 160 buckets that moves and coarsens as values
/// come. An update takes no lock and allocates nothing; a block of 1,344 bytes is made at a thread's first update.
///
/// Only the thread that a block belongs to writes it. When a value falls outside the window, the thread rearranges the
/// block, which takes some microseconds, and meanwhile has a sequence number odd, which tells readers to look again. Each
/// time the buckets get wider or the room left beside them halves: it happens a dozen times with values as services see
/// them, and some two hundred times at worst, ever. In the block that the threads beyond `ShardedCells.exclusiveThreads`
/// share, the one that rearranges it waits until the others have left.
package final class ExponentialShards: Sendable {
    /// Values up to this magnitude are zero: what Prometheus' own clients take. From here to the largest number, 160
    /// buckets suffice at scale -3.
    package static let zeroThreshold = 0x1p-128

    /// Bytes that a thread's block takes.
    package static let blockBytes = Word.count * 8

    /// What the 64-bit words of a block are; all zero in a new one.
    private enum Word {
        /// See `Layout`.
        static let layout = 0
        /// Odd while the block is being rearranged.
        static let sequence = 1
        static let zeros = 2
        /// The bits of the smallest value, plus one: zero is none.
        static let minimum = 3
        /// The bits of the largest value, plus one.
        static let maximum = 4
        /// Of the shared block: how many threads are in it, and `closed`.
        static let gate = 5
        /// The first bucket; a cache line begins here.
        static let buckets = 8
        static let count = buckets + ExponentialHistogram.usualSize
    }

    /// The scale of a block's buckets and the index of the first one, in one word.
    private struct Layout {
        private static let scaleBias = 64
        let bits: UInt64

        @inline(__always)
        init(bits: UInt64) { self.bits = bits }
        init(scale: Int, start: Int) {
            bits = UInt64(scale + Self.scaleBias) << 32 | UInt64(UInt32(bitPattern: Int32(start)))
        }

        /// Nothing but zeros came so far.
        @inline(__always)
        var isNone: Bool { bits == 0 }
        @inline(__always)
        var scale: Int { Int(truncatingIfNeeded: bits >> 32) &- Self.scaleBias }
        @inline(__always)
        var start: Int { Int(Int32(truncatingIfNeeded: bits)) }
    }

    private typealias Block = UnsafeMutablePointer<ShardedCells.Cell>
    private static let closed: UInt64 = 1 << 63

    private let cells = ShardedCells(cellCount: Word.count)
    private let table = ExponentialTable.shared
    /// The magnitudes of negative values: most histograms never see one.
    private let negatives = AtomicLazyReference<ExponentialShards>()

    init() {}

    // MARK: Recording

    /// Records a value for the calling thread.
    /// - Parameters:
    ///   - value: finite.
    ///   - ordinal: of the thread.
    @inline(never)
    package func record(_ value: Double, ordinal: Int) {
        guard ordinal < ShardedCells.exclusiveThreads else { return recordShared(value) }
        let block = cells.block(ordinal)
        let low = block[Word.minimum].load(ordering: .relaxed)
        if low == 0 || value < Double(bitPattern: low &- 1) {
            block[Word.minimum].store(value.bitPattern &+ 1, ordering: .relaxed)
        }
        let high = block[Word.maximum].load(ordering: .relaxed)
        if high == 0 || value > Double(bitPattern: high &- 1) {
            block[Word.maximum].store(value.bitPattern &+ 1, ordering: .relaxed)
        }
        if value > Self.zeroThreshold {
            count(value, in: block)
        } else if value < -Self.zeroThreshold {
            let negatives = negativeShards
            negatives.count(-value, in: negatives.cells.block(ordinal))
        } else {
            Self.increment(block, Word.zeros)
        }
    }

    @inline(__always)
    private func count(_ magnitude: Double, in block: Block) {
        let layout = Layout(bits: block[Word.layout].load(ordering: .relaxed))
        if let word = word(of: magnitude, layout) {
            Self.increment(block, word)
        } else {
            rearrange(block, toCount: magnitude)
        }
    }

    @inline(__always)
    private static func increment(_ block: Block, _ word: Int) {
        block[word].store(block[word].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// The word of the bucket that a magnitude above the zero threshold belongs to; nil when the window has none.
    @inline(__always)
    private func word(of magnitude: Double, _ layout: Layout) -> Int? {
        guard !layout.isNone else { return nil }
        let position = index(of: magnitude, scale: layout.scale) &- layout.start
        guard UInt(bitPattern: position) < UInt(ExponentialHistogram.usualSize) else { return nil }
        return Word.buckets &+ position
    }

    @inline(__always)
    private func index(of magnitude: Double, scale: Int) -> Int {
        guard scale <= ExponentialTable.scale else { return ExponentialIndex.of(magnitude, scale: scale) }
        // Above the threshold no number is subnormal.
        let bits = magnitude.bitPattern
        let exponent = Int(truncatingIfNeeded: bits >> 52) &- 1023
        let index = exponent &<< ExponentialTable.scale &+ table.position(bits & (1 << 52 - 1))
        return index &>> (ExponentialTable.scale &- scale)
    }

    private var negativeShards: ExponentialShards {
        negatives.load() ?? negatives.storeIfNil(ExponentialShards())
    }

    // MARK: The shared block

    @inline(never)
    private func recordShared(_ value: Double) {
        let block = cells.block(ShardedCells.exclusiveThreads)
        Self.replace(block, Word.minimum, by: value) { $0 < $1 }
        Self.replace(block, Word.maximum, by: value) { $0 > $1 }
        if value > Self.zeroThreshold {
            countShared(value, in: block)
        } else if value < -Self.zeroThreshold {
            let negatives = negativeShards
            negatives.countShared(-value, in: negatives.cells.block(ShardedCells.exclusiveThreads))
        } else {
            block[Word.zeros].wrappingAdd(1, ordering: .relaxed)
        }
    }

    private static func replace(_ block: Block, _ word: Int, by value: Double, if precedes: (Double, Double) -> Bool) {
        var old = block[word].load(ordering: .relaxed)
        while old == 0 || precedes(value, Double(bitPattern: old &- 1)) {
            let (exchanged, original) = block[word].weakCompareExchange(
                expected: old, desired: value.bitPattern &+ 1, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    private func countShared(_ magnitude: Double, in block: Block) {
        while block[Word.gate].wrappingAdd(1, ordering: .acquiring).oldValue & Self.closed != 0 {
            block[Word.gate].wrappingSubtract(1, ordering: .relaxed)
            sched_yield()
        }
        let word = word(of: magnitude, Layout(bits: block[Word.layout].load(ordering: .relaxed)))
        if let word { block[word].wrappingAdd(1, ordering: .relaxed) }
        block[Word.gate].wrappingSubtract(1, ordering: .releasing)
        if word == nil { rearrangeShared(block, toCount: magnitude) }
    }

    private func rearrangeShared(_ block: Block, toCount magnitude: Double) {
        while block[Word.gate].bitwiseOr(Self.closed, ordering: .acquiring).oldValue & Self.closed != 0 {
            sched_yield()
        }
        while block[Word.gate].load(ordering: .acquiring) != Self.closed { sched_yield() }
        rearrange(block, toCount: magnitude)
        block[Word.gate].bitwiseAnd(~Self.closed, ordering: .releasing)
    }

    // MARK: Rearranging

    /// Moves and coarsens the window until the magnitude has a bucket, and counts it there. The calling thread is the only
    /// one that writes the block's buckets.
    @inline(never)
    private func rearrange(_ block: Block, toCount magnitude: Double) {
        let layout = Layout(bits: block[Word.layout].load(ordering: .relaxed))
        // Another thread may have made room meanwhile.
        if let word = word(of: magnitude, layout) { return Self.increment(block, word) }
        let size = ExponentialHistogram.usualSize
        // The same arithmetic as everywhere, on a copy; it allocates.
        var histogram = ExponentialHistogram(maxScale: layout.isNone ? ExponentialIndex.maxScale : layout.scale)
        if !layout.isNone {
            let counts = (0..<size).map { block[Word.buckets + $0].load(ordering: .relaxed) }
            histogram.add(positive: ExponentialBuckets(offset: layout.start, counts: counts), scale: layout.scale)
        }
        histogram.record(magnitude)
        let buckets = histogram.positive
        // What is free is left on both sides.
        let start = buckets.offset - (size - buckets.counts.count) / 2
        let sequence = block[Word.sequence].load(ordering: .relaxed)
        block[Word.sequence].store(sequence &+ 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        block[Word.layout].store(Layout(scale: histogram.scale, start: start).bits, ordering: .relaxed)
        for position in 0..<size {
            let index = start + position - buckets.offset
            let count = buckets.counts.indices.contains(index) ? buckets.counts[index] : 0
            block[Word.buckets + position].store(count, ordering: .relaxed)
        }
        block[Word.sequence].store(sequence &+ 2, ordering: .releasing)
    }

    // MARK: Reading

    /// How often a reader looks at a block that is being rearranged; the writer may have been interrupted there.
    private static let readAttempts = 100_000

    /// What all threads have recorded, without the sum; nil when a writer was interrupted for very long.
    package func snapshot() -> ExponentialHistogram? {
        var histogram = ExponentialHistogram(zeroThreshold: Self.zeroThreshold)
        var isComplete = true
        cells.forEachBlock { block in
            if let (buckets, scale) = Self.read(block) {
                histogram.add(positive: buckets, scale: scale)
            } else {
                isComplete = false
            }
            histogram.add(
                zeroCount: block[Word.zeros].load(ordering: .relaxed), minimum: Self.value(block, Word.minimum),
                maximum: Self.value(block, Word.maximum))
        }
        if let negatives = negatives.load() {
            negatives.cells.forEachBlock { block in
                if let (buckets, scale) = Self.read(block) {
                    histogram.add(negative: buckets, scale: scale)
                } else {
                    isComplete = false
                }
            }
        }
        return isComplete ? histogram : nil
    }

    private static func value(_ block: Block, _ word: Int) -> Double? {
        let bits = block[word].load(ordering: .relaxed)
        return bits == 0 ? nil : Double(bitPattern: bits &- 1)
    }

    private static func read(_ block: Block) -> (buckets: ExponentialBuckets, scale: Int)? {
        for _ in 0..<readAttempts {
            let sequence = block[Word.sequence].load(ordering: .acquiring)
            if sequence & 1 == 0 {
                let layout = Layout(bits: block[Word.layout].load(ordering: .relaxed))
                let counts = (0..<ExponentialHistogram.usualSize).map {
                    block[Word.buckets + $0].load(ordering: .relaxed)
                }
                atomicMemoryFence(ordering: .acquiring)
                if block[Word.sequence].load(ordering: .relaxed) == sequence {
                    let buckets = ExponentialBuckets(offset: layout.start, counts: counts)
                    return (buckets, layout.isNone ? ExponentialIndex.maxScale : layout.scale)
                }
            }
            sched_yield()
        }
        return nil
    }

    /// How often blocks have been rearranged so far.
    var rearrangements: UInt64 {
        var count = negatives.load()?.rearrangements ?? 0
        cells.forEachBlock { count &+= $0[Word.sequence].load(ordering: .relaxed) / 2 }
        return count
    }

    /// Bytes that the blocks of all threads take.
    package var bytes: Int {
        var blocks = 0
        cells.forEachBlock { _ in blocks += 1 }
        return blocks * Self.blockBytes + (negatives.load()?.bytes ?? 0)
    }
}
