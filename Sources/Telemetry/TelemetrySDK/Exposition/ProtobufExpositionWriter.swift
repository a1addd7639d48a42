internal import Telemetry

/// Writes families in the protobuf format of Prometheus (`io.prometheus.client.MetricFamily`, each with its length in
/// front), the only one that carries native histograms. Names, labels and bounds are those of the texts.
struct ProtobufExpositionWriter: ~Copyable {
    private enum FamilyType: UInt64 {
        case counter = 0
        case gauge = 1
        case histogram = 4
    }

    private var output = ByteBuffer(capacity: 64 * 1024)
    private var family = ByteBuffer(capacity: 16 * 1024)
    private let native: HistogramForms.Native
    /// Series written so far, as Prometheus counts them: each bucket with a fixed bound is one, a native histogram is one.
    private(set) var samples = 0

    init(native: HistogramForms.Native) { self.native = native }

    mutating func finish() -> [UInt8] { output.array() }

    mutating func write(_ family: MetricRegistry.Family) {
        let declaration = family.declaration
        switch family {
        case .counter(let family):
            begin(declaration)
            for series in family.allSeries {
                writeMetric(series.labelText) { metric in
                    metric.appendMessage(3, expectedLengthBytes: 1) { counter in
                        counter.appendField(1, double: series.value)
                        if let exemplar = series.exemplar { Self.append(exemplar, field: 2, to: &counter) }
                    }
                }
            }
            end(series: family.allSeries.count)
        case .gauge(let family):
            let series = family.allSeries
            writeValues(declaration, series.map { ($0.labelText, $0.value) })
        case .observed(let family): writeValues(declaration, family.read())
        case .histogram(let family): writeHistogram(declaration, family.allSeries)
        }
    }

    private mutating func writeValues(_ declaration: MetricDeclaration, _ values: [(labelText: [UInt8], value: Double)])
    {
        begin(declaration)
        // A counter and a gauge differ in the number of the field only.
        let field = declaration.kind == .counter ? 3 : 2
        for (labels, value) in values {
            writeMetric(labels) { metric in
                metric.appendMessage(field, expectedLengthBytes: 1) { $0.appendField(1, double: value) }
            }
        }
        end(series: values.count)
    }

    // MARK: Families

    private mutating func begin(_ declaration: MetricDeclaration) {
        family.removeAll()
        family.appendField(1, declaration.sampleName)
        family.appendField(2, declaration.help)
        let type: FamilyType =
            switch declaration.kind {
            case .counter: .counter
            case .gauge, .upDownCounter, .info: .gauge
            case .histogram: .histogram
            }
        family.appendField(3, varint: type.rawValue)
        if !declaration.unit.suffix.isEmpty, declaration.hasItsSuffixes {
            family.appendField(5, declaration.unit.suffix)
        }
    }

    /// Ends a family of so many metrics; one without any is not written.
    private mutating func end(series: Int, samplesEach: Int = 1) {
        guard series > 0 else { return }
        samples += series * samplesEach
        output.appendVarint(UInt64(family.count))
        output.append(UnsafePointer(family.base), count: family.count)
    }

    private mutating func writeMetric(_ labels: [UInt8], _ value: (inout ByteBuffer) -> Void) {
        family.appendMessage(4, expectedLengthBytes: 2) { metric in
            LabelText.forEach(in: labels) { name, text in Self.append(name, text, field: 1, to: &metric) }
            value(&metric)
        }
    }

    // MARK: Histograms

    /// One series, read once.
    private struct Reading {
        let series: HistogramSeries
        let sum: Double
        /// Cumulative, with that of `+Inf`.
        var counts: [UInt64]
        let exponential: ExponentialHistogram?
        let exemplars: [Exemplar?]

        init(_ series: HistogramSeries, isNative: Bool) {
            self.series = series
            // First: an update counts in the explicit buckets before.
            let exponential = isNative ? series.exponential?.snapshot() : nil
            self.exponential = exponential?.downscaled(to: NativeBuckets.schemas.upperBound)
            (sum, counts) = series.snapshot
            exemplars = series.exemplars.snapshot()
            for index in counts.indices.dropFirst() { counts[index] &+= counts[index - 1] }
        }
    }

    private mutating func writeHistogram(_ declaration: MetricDeclaration, _ series: [HistogramSeries]) {
        let native = native
        var readings = series.map { Reading($0, isNative: native != .off) }
        let samplesEach = (series.first?.bounds.count ?? 0) + 3
        if native == .together {
            // One number of values stands for both forms. What came between the two readings belongs to the next scrape.
            for index in readings.indices {
                guard let count = readings[index].exponential?.count else { continue }
                let last = readings[index].counts.count - 1
                for bucket in 0..<last { readings[index].counts[bucket] = min(readings[index].counts[bucket], count) }
                readings[index].counts[last] = count
            }
        }
        begin(declaration)
        for reading in readings {
            writeMetric(reading.series.labelText) { metric in
                metric.appendMessage(7, expectedLengthBytes: 2) { histogram in
                    Self.appendExplicit(reading, to: &histogram)
                    if native == .together, let exponential = reading.exponential {
                        Self.append(exponential, to: &histogram)
                    }
                }
            }
        }
        end(series: readings.count, samplesEach: samplesEach)
        let natives = readings.filter { $0.exponential != nil }
        if native == .together { samples += natives.count }
        guard native == .apart else { return }
        begin(declaration)
        for reading in natives {
            writeMetric(reading.series.labelText) { metric in
                metric.appendMessage(7, expectedLengthBytes: 2) { histogram in
                    guard let exponential = reading.exponential else { return }
                    histogram.appendField(1, varint: exponential.count)
                    histogram.appendField(2, double: reading.sum)
                    Self.append(exponential, to: &histogram)
                    for exemplar in reading.exemplars {
                        if let exemplar { Self.append(exemplar, field: 16, to: &histogram) }
                    }
                }
            }
        }
        end(series: natives.count)
    }

    private static func appendExplicit(_ reading: Reading, to histogram: inout ByteBuffer) {
        histogram.appendField(1, varint: reading.counts.last ?? 0)
        histogram.appendField(2, double: reading.sum)
        for (index, count) in reading.counts.enumerated() {
            histogram.appendMessage(3, expectedLengthBytes: 1) { bucket in
                bucket.appendField(1, varint: count)
                let bounds = reading.series.bounds
                bucket.appendField(2, double: index < bounds.count ? bounds[index] : .infinity)
                if index < reading.exemplars.count, let exemplar = reading.exemplars[index] {
                    append(exemplar, field: 3, to: &bucket)
                }
            }
        }
    }

    private static func append(_ exponential: ExponentialHistogram, to histogram: inout ByteBuffer) {
        histogram.appendField(5, zigzag: exponential.scale)
        // Above zero: by this alone a scraper knows a native histogram that has counted nothing yet.
        histogram.appendField(6, double: exponential.zeroThreshold)
        histogram.appendField(7, varint: exponential.zeroCount)
        append(NativeBuckets(exponential.negative), runs: 9, deltas: 10, to: &histogram)
        append(NativeBuckets(exponential.positive), runs: 12, deltas: 13, to: &histogram)
    }

    private static func append(_ buckets: NativeBuckets, runs: Int, deltas: Int, to histogram: inout ByteBuffer) {
        for run in buckets.runs {
            histogram.appendMessage(runs, expectedLengthBytes: 1) { span in
                span.appendField(1, zigzag: run.offset)
                span.appendField(2, varint: UInt64(run.length))
            }
        }
        guard !buckets.deltas.isEmpty else { return }
        histogram.appendMessage(deltas, expectedLengthBytes: 2) { packed in
            for delta in buckets.deltas { packed.appendZigzag(delta) }
        }
    }

    // MARK: Parts

    private static func append(
        _ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>, field: Int, to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(field, expectedLengthBytes: 1) { pair in
            pair.appendField(1, bytes: name)
            pair.appendField(2, bytes: value)
        }
    }

    private static func append(_ exemplar: Exemplar, field: Int, to buffer: inout ByteBuffer) {
        buffer.appendMessage(field, expectedLengthBytes: 1) { message in
            var text = ByteBuffer(capacity: 32)
            text.appendHex(exemplar.traceID.high)
            text.appendHex(exemplar.traceID.low)
            append(Array("trace_id".utf8)[...], text.array()[...], field: 1, to: &message)
            text.removeAll()
            text.appendHex(exemplar.spanID.value)
            append(Array("span_id".utf8)[...], text.array()[...], field: 1, to: &message)
            message.appendField(2, double: exemplar.value)
            // `google.protobuf.Timestamp`.
            message.appendMessage(3, expectedLengthBytes: 1) { time in
                time.appendField(1, varint: exemplar.wallNanoseconds / 1_000_000_000)
                time.appendField(2, varint: exemplar.wallNanoseconds % 1_000_000_000)
            }
        }
    }
}
