package import Telemetry

/// Puts what registries hold into OTLP `ExportMetricsServiceRequest` messages (OTLP 1.11, protobuf), cumulative since the
/// start, a `ResourceMetrics` for each service. Names and labels are those of `/metrics`: one series is one series,
/// whichever way it comes.
package struct OTLPMetricEncoder {
    /// One request body with the number of data points in it.
    package struct Request {
        package let body: [UInt8]
        package let pointCount: Int
    }

    private static let cumulative: UInt64 = 2
    /// A request is closed when it has this many bytes; with one more family it stays under what collectors take.
    private static let fullBytes = 2 * 1024 * 1024

    private let startNanoseconds: UInt64
    private let nowNanoseconds: UInt64

    /// - Parameters:
    ///   - startNanoseconds: since 1970 UTC, when counting began.
    ///   - nowNanoseconds: since 1970 UTC.
    package init(startNanoseconds: UInt64, nowNanoseconds: UInt64) {
        self.startNanoseconds = startNanoseconds
        self.nowNanoseconds = nowNanoseconds
    }

    /// The requests for all services; none when there is nothing to tell.
    package func requests(_ services: [(resource: ServiceResource, metrics: MetricRegistry)]) -> [Request] {
        var requests: [Request] = []
        var body = ByteBuffer(capacity: 64 * 1024)
        var points = 0
        func close() {
            if points > 0 { requests.append(Request(body: body.array(), pointCount: points)) }
            body.removeAll()
            points = 0
        }
        for (resource, metrics) in services {
            let resource = OTLPScope.resourceField(resource)
            var families = metrics.families[...]
            while !families.isEmpty {
                // Field 1: `ResourceMetrics` with one `ScopeMetrics`.
                let outer = body.beginMessage(1, expectedLengthBytes: 3)
                body.append(resource)
                let inner = body.beginMessage(2, expectedLengthBytes: 3)
                body.append(OTLPScope.message)
                while let family = families.first, body.count < Self.fullBytes {
                    families = families.dropFirst()
                    points += append(family, isExponential: metrics.histograms.isExponentialExported, to: &body)
                }
                body.endMessage(inner)
                body.endMessage(outer)
                if body.count >= Self.fullBytes { close() }
            }
        }
        close()
        return requests
    }

    /// Field 2 of `ScopeMetrics`.
    /// - Returns: the number of data points.
    private func append(
        _ family: MetricRegistry.Family, isExponential: Bool, to body: inout ByteBuffer
    ) -> Int {
        let declaration = family.declaration
        // The resource goes with every message: whoever wants this series makes it of that, and would have it twice.
        if declaration.name == "target_info" { return 0 }
        var points = 0
        let start = body.count
        body.appendMessage(2, expectedLengthBytes: 2) { body in
            body.appendField(1, declaration.name)
            body.appendField(2, declaration.help)
            if declaration.unit != .none { body.appendField(3, declaration.unit.rawValue) }
            switch family {
            case .counter(let family):
                points = appendSum(isMonotonic: true, &body) { body in
                    for series in family.allSeries {
                        append(series.labelText, series.value, exemplar: series.exemplar, to: &body)
                    }
                    return family.allSeries.count
                }
            case .gauge(let family):
                let values = family.allSeries.map { ($0.labelText, $0.value) }
                points = append(values, declaration.kind, to: &body)
            case .observed(let family):
                points = append(family.read().map { ($0.labelText, $0.value) }, declaration.kind, to: &body)
            case .histogram(let family) where isExponential && family.isExponential:
                body.appendMessage(10, expectedLengthBytes: 3) { body in
                    for series in family.allSeries {
                        guard let exponential = series.exponential?.snapshot() else { continue }
                        append(series, exponential, to: &body)
                        points += 1
                    }
                    body.appendField(2, varint: Self.cumulative)
                }
            case .histogram(let family):
                body.appendMessage(9, expectedLengthBytes: 3) { body in
                    for series in family.allSeries {
                        append(series, to: &body)
                        points += 1
                    }
                    body.appendField(2, varint: Self.cumulative)
                }
            }
        }
        // A metric without data points is not sent.
        if points == 0 { body.count = start }
        return points
    }

    private func append(
        _ values: [(labelText: [UInt8], value: Double)], _ kind: MetricDeclaration.Kind, to body: inout ByteBuffer
    ) -> Int {
        switch kind {
        case .counter, .upDownCounter:
            return appendSum(isMonotonic: kind == .counter, &body) { body in
                for (labels, value) in values { append(labels, value, exemplar: nil, to: &body) }
                return values.count
            }
        case .gauge, .info, .histogram:
            body.appendMessage(5, expectedLengthBytes: 3) { body in
                for (labels, value) in values { append(labels, value, exemplar: nil, to: &body) }
            }
            return values.count
        }
    }

    private func appendSum(
        isMonotonic: Bool, _ body: inout ByteBuffer, _ points: (inout ByteBuffer) -> Int
    ) -> Int {
        var count = 0
        body.appendMessage(7, expectedLengthBytes: 3) { body in
            count = points(&body)
            body.appendField(2, varint: Self.cumulative)
            if isMonotonic { body.appendField(3, varint: 1) }
        }
        return count
    }

    /// Field 1 of `Sum` and `Gauge`: a `NumberDataPoint`.
    private func append(_ labels: [UInt8], _ value: Double, exemplar: Exemplar?, to body: inout ByteBuffer) {
        body.appendMessage(1, expectedLengthBytes: 2) { body in
            body.appendField(2, fixed64: startNanoseconds)
            body.appendField(3, fixed64: nowNanoseconds)
            body.appendField(4, double: value)
            if let exemplar { append(exemplar, field: 5, to: &body) }
            append(labels, field: 7, to: &body)
        }
    }

    /// Field 1 of `Histogram`: a `HistogramDataPoint`.
    private func append(_ series: HistogramSeries, to body: inout ByteBuffer) {
        let (sum, counts) = series.snapshot
        body.appendMessage(1, expectedLengthBytes: 2) { body in
            body.appendField(2, fixed64: startNanoseconds)
            body.appendField(3, fixed64: nowNanoseconds)
            body.appendField(4, fixed64: counts.reduce(0, &+))
            body.appendField(5, double: sum)
            body.appendMessageHead(6, length: counts.count * 8)
            for count in counts { body.appendLittleEndian(count) }
            body.appendMessageHead(7, length: series.bounds.count * 8)
            for bound in series.bounds { body.appendLittleEndian(bound.bitPattern) }
            for exemplar in series.exemplars.snapshot() {
                if let exemplar { append(exemplar, field: 8, to: &body) }
            }
            append(series.labelText, field: 9, to: &body)
        }
    }

    /// Field 1 of `ExponentialHistogram`: an `ExponentialHistogramDataPoint`.
    private func append(_ series: HistogramSeries, _ exponential: ExponentialHistogram, to body: inout ByteBuffer) {
        body.appendMessage(1, expectedLengthBytes: 2) { body in
            append(series.labelText, field: 1, to: &body)
            body.appendField(2, fixed64: startNanoseconds)
            body.appendField(3, fixed64: nowNanoseconds)
            body.appendField(4, fixed64: exponential.count)
            body.appendField(5, double: series.snapshot.sum)
            body.appendField(6, zigzag: exponential.scale)
            body.appendField(7, fixed64: exponential.zeroCount)
            append(exponential.positive, field: 8, to: &body)
            append(exponential.negative, field: 9, to: &body)
            for exemplar in series.exemplars.snapshot() {
                if let exemplar { append(exemplar, field: 11, to: &body) }
            }
            if let minimum = exponential.minimum { body.appendField(12, double: minimum) }
            if let maximum = exponential.maximum { body.appendField(13, double: maximum) }
            body.appendField(14, double: exponential.zeroThreshold)
        }
    }

    private func append(_ buckets: ExponentialBuckets, field: Int, to body: inout ByteBuffer) {
        guard !buckets.isEmpty else { return }
        body.appendMessage(field, expectedLengthBytes: 2) { body in
            body.appendField(1, zigzag: buckets.offset)
            body.appendMessage(2, expectedLengthBytes: 2) { packed in
                for count in buckets.counts { packed.appendVarint(count) }
            }
        }
    }

    private func append(_ exemplar: Exemplar, field: Int, to body: inout ByteBuffer) {
        body.appendMessage(field, expectedLengthBytes: 1) { body in
            body.appendField(2, fixed64: exemplar.wallNanoseconds)
            body.appendField(3, double: exemplar.value)
            body.appendField(4, spanID: exemplar.spanID)
            body.appendField(5, traceID: exemplar.traceID)
        }
    }

    /// The labels, read back from `a="x",b="y"`; empty ones are none.
    private func append(_ labels: [UInt8], field: Int, to body: inout ByteBuffer) {
        var rest = labels[...]
        while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
            let name = String(decoding: rest[..<equals], as: UTF8.self)
            rest = rest[equals...].dropFirst(2)
            var value: [UInt8] = []
            while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
                if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                    value.append(escaped == UInt8(ascii: "n") ? 0x0A : escaped)
                } else {
                    value.append(byte)
                }
            }
            if !value.isEmpty {
                body.appendAttribute(field, name, .string(String(decoding: value, as: UTF8.self)))
            }
            if rest.first == UInt8(ascii: ",") { rest = rest.dropFirst() }
        }
    }
}
