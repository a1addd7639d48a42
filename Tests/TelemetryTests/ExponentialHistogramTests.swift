import Glibc
import Synchronization
import TelemetryTesting
import Testing

@testable import Telemetry

/// The base-2 exponential histogram as a value, and as threads record it: against exact integers and against
/// OpenTelemetry's own aggregation for Python.
@Suite struct ExponentialHistogramTests {
    /// The same numbers in every run.
    private struct Generator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 31
        }
        mutating func below(_ bound: Int) -> Int { Int(next() >> 11) % bound }
        mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
        /// From 2^low to 2^high, even in their logarithms.
        mutating func value(_ low: Double, _ high: Double) -> Double { exp2(low + unit() * (high - low)) }
        /// Any finite positive number, subnormal ones as often as any power of two.
        mutating func anyPositive() -> Double {
            let value = Double(bitPattern: next() & 0x7FFF_FFFF_FFFF_FFFF)
            return value.isFinite && value > 0 ? value : 0x1p-1074
        }
    }

    // MARK: Indices

    /// 2^(i / 2^s) < v ≤ 2^((i + 1) / 2^s), decided by integers without end: v^(2^s) against powers of two.
    private static let exactly = """
        import struct, sys
        lines = sys.stdin.read().split("\\n")
        bad = 0
        for line in lines[:-1]:
            bits, scale, index = line.split()
            scale, index = int(scale), int(index)
            value = struct.unpack(">d", bytes.fromhex(bits.zfill(16)))[0]
            numerator, denominator = value.as_integer_ratio()
            shift = denominator.bit_length() - 1
            if scale <= 0:
                low, high, power = index << -scale, (index + 1) << -scale, 1
            else:
                low, high, power = index, index + 1, 1 << scale
            # (odd · 2^(zeros - shift))^power, against 2^low and 2^high.
            zeros = (numerator & -numerator).bit_length() - 1
            number = (numerator >> zeros) ** power
            low, high = low + (shift - zeros) * power, high + (shift - zeros) * power
            bits = number.bit_length()
            isPower = number & (number - 1) == 0
            above = bits - 1 > low or (bits - 1 == low and not isPower)
            within = bits - 1 < high or (bits - 1 == high and isPower)
            if not (above and within):
                bad += 1
                print("wrong:", line)
        print(len(lines) - 1, bad)
        """

    @Test func everyIndexIsExactAlsoAtBoundsPowersOfTwoAndSubnormals() throws {
        var generator = Generator(state: 1)
        var values: [Double] = [
            .leastNonzeroMagnitude, .leastNormalMagnitude, .leastNormalMagnitude.nextDown, .leastNormalMagnitude.nextUp,
            .greatestFiniteMagnitude, 1, 1.0.nextUp, 1.0.nextDown, 2, 0x1p-1073, 0x1p-1060, 0x1.8p-1060,
        ]
        for exponent in stride(from: -1074, through: 1023, by: 37) {
            let power = scalbn(1.0, exponent)
            values += [power, power.nextUp, power.nextDown].filter { $0 > 0 }
        }
        for _ in 0..<300 { values.append(generator.anyPositive()) }
        var lines: [String] = []
        func add(_ value: Double, _ scale: Int) {
            let index = ExponentialIndex.of(value, scale: scale)
            lines.append("\(String(value.bitPattern, radix: 16)) \(scale) \(index)")
        }
        for value in values { for scale in [-10, -4, -1, 0, 1, 3, 7, 8] { add(value, scale) } }
        // The numbers on both sides of every bound of the table, as near as numbers are.
        for bucket in 0..<256 {
            let near = exp2(Double(bucket + 1) / 256) * scalbn(1, generator.below(40) - 20)
            for value in [near.nextDown.nextDown, near.nextDown, near, near.nextUp, near.nextUp.nextUp] {
                add(value, 8)
            }
        }
        // The finer the scale, the longer the exact answer takes.
        for value in values.prefix(60) { for scale in [9, 10, 12] { add(value, scale) } }
        let judged = try ChildProcess.python(Self.exactly, input: Array((lines.joined(separator: "\n") + "\n").utf8))
        #expect(judged.output == "\(lines.count) 0\n", "\(judged.output.suffix(400))\(judged.errors)")
    }

    @Test func theLogarithmAndTheSquaringsAgreeAndFinerScalesRefineCoarserOnes() {
        var generator = Generator(state: 2)
        for round in 0..<4_000 {
            let value = round % 2 == 0 ? generator.anyPositive() : exp2(Double(generator.below(1 << 20)) / 0x1p20)
            let finest = ExponentialIndex.of(value, scale: 20)
            #expect((-10..<20).allSatisfy { ExponentialIndex.of(value, scale: $0) == finest >> (20 - $0) }, "\(value)")
            let mantissa = value.bitPattern & (1 << 52 - 1)
            guard value.isNormal, mantissa > 0 else { continue }
            #expect(finest == Int(value.exponent) << 20 + ExponentialIndex.exactFraction(mantissa, 20))
        }
        for exponent in -1074...1023 {
            let power = scalbn(1.0, exponent)
            let indices = [20, 0, -2].map { ExponentialIndex.of(power, scale: $0) }
            #expect(indices == [exponent << 20 - 1, exponent - 1, (exponent - 1) >> 2])
        }
    }

    // MARK: Histograms

    /// Sets of values as services see them, and as nobody does.
    private static func sets() -> [(size: Int, values: [Double])] {
        var generator = Generator(state: 3)
        func many(_ count: Int, _ make: (inout Generator) -> Double) -> [Double] {
            (0..<count).map { _ in make(&generator) }
        }
        return [
            (160, many(2_000) { $0.value(-12, 4) }), (160, many(2_000) { $0.value(-1_020, 1_020) }),
            (160, [3, 3, 3]), (160, [1]), (160, [0, 0, 1.5]), (160, [0.25, 0.5, 1, 2, 4]),
            (160, many(500) { 1 + $0.unit() * 1e-4 }), (160, many(500) { Double($0.below(40)) }),
            (160, many(800) { ($0.below(2) == 0 ? -1 : 1) * $0.value(-3, 9) }),
            (20, many(1_000) { $0.value(-6, 6) }), (4, many(1_000) { $0.value(-6, 6) }),
            (2, many(300) { $0.value(-30, 30) }), (500, many(3_000) { $0.value(-40, 10) }),
            (160, many(1_000) { $0.value(-1, 1) } + many(3) { $0.value(60, 61) }),
        ]
    }

    private static func line(_ histogram: ExponentialHistogram) -> String {
        func text(_ buckets: ExponentialBuckets) -> String {
            buckets.isEmpty ? "-" : "\(buckets.offset):\(buckets.counts.map(String.init).joined(separator: ","))"
        }
        return "\(histogram.scale) \(histogram.zeroCount) \(histogram.count) "
            + "\(text(histogram.positive)) \(text(histogram.negative))"
    }

    @Test func bucketsAreThoseOfOpenTelemetrysOwnAggregation() throws {
        let sets = Self.sets()
        let program = """
            import json, sys
            from opentelemetry.sdk.metrics._internal.aggregation import (
                AggregationTemporality, _ExponentialBucketHistogramAggregation)
            from opentelemetry.sdk.metrics._internal.exemplar import SimpleFixedSizeExemplarReservoir
            from opentelemetry.sdk.metrics._internal.measurement import Measurement
            for size, values in json.load(sys.stdin):
                aggregation = _ExponentialBucketHistogramAggregation(
                    {}, lambda **k: SimpleFixedSizeExemplarReservoir(size=1), AggregationTemporality.DELTA, 0,
                    max_size=size)
                for value in values:
                    aggregation.aggregate(Measurement(value, 0, None, None, {}), False)
                point = aggregation.collect(AggregationTemporality.DELTA, 1)
                def text(buckets):
                    counts = list(buckets.bucket_counts)
                    offset = buckets.offset
                    while counts and counts[0] == 0: counts.pop(0); offset += 1
                    while counts and counts[-1] == 0: counts.pop()
                    return "-" if not counts else f"{offset}:" + ",".join(map(str, counts))
                print(point.scale, point.zero_count, point.count, text(point.positive), text(point.negative))
            """
        let input = "[" + sets.map { "[\($0.size),\($0.values)]" }.joined(separator: ",") + "]"
        let judged = try ChildProcess.python(program, input: Array(input.utf8))
        let expected = judged.output.split(separator: "\n").map(String.init)
        try #require(expected.count == sets.count, "\(judged.errors)")
        for (set, expected) in zip(sets, expected) {
            var histogram = ExponentialHistogram(maxSize: set.size)
            for value in set.values { histogram.record(value) }
            #expect(Self.line(histogram) == expected)
            #expect(histogram.minimum == set.values.min() && histogram.maximum == set.values.max())
        }
    }

    @Test func neitherTheOrderNorTheWayOfMergingMatters() {
        var generator = Generator(state: 4)
        for (size, values) in Self.sets() {
            var whole = ExponentialHistogram(maxSize: size)
            for value in values { whole.record(value) }
            var backwards = ExponentialHistogram(maxSize: size)
            for value in values.reversed() { backwards.record(value) }
            var parts = (0..<5).map { _ in ExponentialHistogram(maxSize: size) }
            for value in values { parts[generator.below(5)].record(value) }
            var merged = ExponentialHistogram(maxSize: size)
            for part in parts { merged.merge(part) }
            for other in [backwards, merged] {
                #expect(Self.line(other) == Self.line(whole))
                #expect(abs(other.sum - whole.sum) <= abs(whole.sum) * 1e-9 || !whole.sum.isFinite)
                #expect(other.minimum == whole.minimum && other.maximum == whole.maximum)
            }
            #expect(whole.count == UInt64(values.count))
            #expect(whole.positive.counts.count <= size && whole.negative.counts.count <= size)
            let coarser = whole.downscaled(to: whole.scale - 3)
            #expect(coarser.count == whole.count && coarser.scale == whole.scale - 3)
        }
        var histogram = ExponentialHistogram(zeroThreshold: 0.5)
        for value in [0.5, -0.5, 0, 0.6, .nan, .infinity] { histogram.record(value) }
        #expect(histogram.zeroCount == 3 && histogram.count == 4)
    }

    // MARK: Threads

    private static let took = Histogram("took_seconds", unit: .seconds, help: "Duration.", buckets: [0.1, 1])

    private func series(_ forms: HistogramForms = HistogramForms(native: .apart)) -> HistogramSeries {
        MetricRegistry(histograms: forms).histogram(Self.took).series()
    }

    @Test func aSeriesRecordsWhatTheValueRecords() throws {
        for (size, values) in Self.sets() where size == 160 {
            let series = series()
            var expected = ExponentialHistogram(zeroThreshold: ExponentialShards.zeroThreshold)
            for value in values {
                series.record(value)
                expected.record(value)
            }
            let snapshot = try #require(series.exponential?.snapshot())
            #expect(Self.line(snapshot) == Self.line(expected))
            #expect(snapshot.minimum == expected.minimum && snapshot.maximum == expected.maximum)
            #expect(series.snapshot.counts.reduce(0, +) == snapshot.count)
        }
    }

    /// Each thread's values begin in a narrow range and widen, so that its block is rearranged again and again; more
    /// threads than blocks, so that the shared one is, too; somebody reads all the time.
    @Test func threadsAddUpWhileTheirBucketsAreRearrangedAndRead() throws {
        let series = series()
        let (threadCount, each) = (30, 2_000)
        let ordinals = Atomic<UInt64>(10)
        let isDone = Atomic<Bool>(false)
        let most = Mutex<UInt64>(0)
        let reader = ThreadGroup(count: 1) {
            var last: UInt64 = 0
            while !isDone.load(ordering: .relaxed) {
                guard let count = series.exponential?.snapshot()?.count else { continue }
                // Never less than before: what is being rearranged is not seen.
                if count < last { most.withLock { $0 = .max } }
                last = count
            }
            most.withLock { $0 = max($0, last) }
        }
        let threads = ThreadGroup(count: threadCount) {
            var generator = Generator(state: ordinals.wrappingAdd(1, ordering: .relaxed).newValue)
            for index in 0..<each {
                let width = Double(index) / 70
                let value = index % 50 == 0 ? 0 : generator.value(-width, width)
                series.record(index % 7 == 0 ? -value : value)
            }
        }
        threads.join()
        isDone.store(true, ordering: .relaxed)
        reader.join()
        let snapshot = try #require(series.exponential?.snapshot())
        #expect(snapshot.count == UInt64(threadCount * each))
        #expect(snapshot.zeroCount == UInt64(threadCount * each / 50))
        #expect(most.withLock { $0 } <= snapshot.count)
        var expected = ExponentialHistogram(zeroThreshold: ExponentialShards.zeroThreshold)
        for state in 0..<threadCount {
            var generator = Generator(state: UInt64(11 + state))
            for index in 0..<each {
                let width = Double(index) / 70
                let value = index % 50 == 0 ? 0 : generator.value(-width, width)
                expected.record(index % 7 == 0 ? -value : value)
            }
        }
        #expect(Self.line(snapshot) == Self.line(expected))
        #expect(snapshot.minimum == expected.minimum && snapshot.maximum == expected.maximum)
    }

    /// Between two of them an update is a look-up and an addition.
    @Test func bucketsAreRearrangedSeldomAndNotInTheSteadyState() throws {
        var generator = Generator(state: 6)
        let values = (0..<5_000).map { _ in generator.value(-10, 4) }
        let usual = try #require(series().exponential)
        for value in values { usual.record(value, ordinal: 0) }
        let first = usual.rearrangements
        #expect((1...40).contains(first))
        for value in values { usual.record(value, ordinal: 0) }
        #expect(usual.rearrangements == first)
        // As many times as somebody who means to can bring about: each value just outside the window.
        let worst = try #require(series().exponential)
        var (low, high) = (1.0, 1.0)
        for round in 0..<200_000 {
            let step = 1 + scalbn(1.0, min(-20, round / 2_000 - 40))
            if round % 2 == 0 { high *= step } else { low /= step }
            worst.record(round % 2 == 0 ? high : low, ordinal: 0)
        }
        for exponent in 0..<1_000 {
            worst.record(scalbn(1.0, exponent), ordinal: 0)
            worst.record(scalbn(1.0, -exponent / 8), ordinal: 0)
        }
        #expect(worst.rearrangements <= 250, "\(worst.rearrangements)")
        #expect(worst.snapshot()?.count == 202_000)
    }

    @Test func memoryIsBoundedAndOnlyWhereItIsWanted() {
        #expect(series(HistogramForms()).exponential == nil)
        let wanted = series(HistogramForms(isExponentialExported: true))
        #expect(wanted.exponential?.bytes == 0)
        var generator = Generator(state: 5)
        for _ in 0..<10_000 { wanted.record(generator.anyPositive()) }
        #expect(wanted.exponential?.bytes == 1_344)
        wanted.record(-1)
        #expect(wanted.exponential?.bytes == 2 * 1_344)
        let threads = ThreadGroup(count: 60) { wanted.record(1) }
        threads.join()
        #expect((wanted.exponential?.bytes ?? .max) <= 17 * 1_344)
        wanted.record(.nan)
        wanted.record(.infinity)
        #expect(wanted.exponential?.snapshot()?.count == 10_061)
    }
}
