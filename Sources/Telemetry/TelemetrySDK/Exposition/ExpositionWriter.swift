internal import Telemetry

/// Writes families in one of the two text formats; they differ in the order of the head lines, in the name of a
/// counter's family, in exemplars and in the last line.
struct ExpositionWriter: ~Copyable {
    private var buffer = ByteBuffer(capacity: 16 * 1024)
    private let openMetrics: Bool
    /// Series written so far, as Prometheus counts them: each bucket is one.
    private(set) var samples = 0

    init(openMetrics: Bool) { self.openMetrics = openMetrics }

    mutating func finish() -> [UInt8] {
        if openMetrics { buffer.append("# EOF\n" as StaticString) }
        return buffer.array()
    }

    mutating func write(_ family: MetricRegistry.Family) {
        let declaration = family.declaration
        switch family {
        case .counter(let family):
            let series = family.allSeries
            guard !series.isEmpty else { return }
            writeHead(declaration)
            let name = declaration.sampleName
            for series in series {
                writeSample(name, series.labelText, series.value, exemplar: openMetrics ? series.exemplar : nil)
            }
        case .gauge(let family):
            let series = family.allSeries
            guard !series.isEmpty else { return }
            writeHead(declaration)
            for series in series { writeSample(declaration.name, series.labelText, series.value) }
        case .observed(let family):
            let values = family.read()
            guard !values.isEmpty else { return }
            writeHead(declaration)
            let name = declaration.sampleName
            for (labels, value) in values { writeSample(name, labels, value) }
        case .histogram(let family):
            let series = family.allSeries
            guard let first = series.first else { return }
            writeHead(declaration)
            // The bounds are the same for every series of a family: their text is made once.
            let suffixes = first.bounds.map(Self.boundText) + [Self.boundText(.infinity)]
            for series in series { writeHistogram(declaration.name, series, suffixes) }
        }
    }

    // MARK: Head

    private mutating func writeHead(_ declaration: MetricDeclaration) {
        let family = familyName(declaration)
        if openMetrics {
            writeType(family, declaration.kind)
            if !declaration.unit.suffix.isEmpty, family.hasSuffix("_" + declaration.unit.suffix),
                declaration.kind != .info
            {
                buffer.append("# UNIT " as StaticString)
                buffer.append(family)
                buffer.append(UInt8(ascii: " "))
                buffer.append(declaration.unit.suffix)
                buffer.append(UInt8(ascii: "\n"))
            }
            writeHelp(family, declaration.help)
        } else {
            writeHelp(family, declaration.help)
            writeType(family, declaration.kind)
        }
    }

    private mutating func writeType(_ name: String, _ kind: MetricDeclaration.Kind) {
        buffer.append("# TYPE " as StaticString)
        buffer.append(name)
        switch kind {
        case .counter: buffer.append(" counter\n" as StaticString)
        case .gauge, .upDownCounter: buffer.append(" gauge\n" as StaticString)
        case .histogram: buffer.append(" histogram\n" as StaticString)
        case .info: buffer.append(openMetrics ? " info\n" : " gauge\n" as StaticString)
        }
    }

    private mutating func writeHelp(_ name: String, _ help: String) {
        buffer.append("# HELP " as StaticString)
        buffer.append(name)
        buffer.append(UInt8(ascii: " "))
        for byte in help.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.append("\\\\" as StaticString)
            case UInt8(ascii: "\n"): buffer.append("\\n" as StaticString)
            case UInt8(ascii: "\"") where openMetrics: buffer.append("\\\"" as StaticString)
            default: buffer.append(byte)
            }
        }
        buffer.append(UInt8(ascii: "\n"))
    }

    /// OpenMetrics names a counter's family without `_total`, and an info's without `_info`.
    private func familyName(_ declaration: MetricDeclaration) -> String {
        guard openMetrics else { return declaration.sampleName }
        switch declaration.kind {
        case .counter: return declaration.name.removing(suffix: "_total")
        case .info: return declaration.name.removing(suffix: "_info")
        case .gauge, .upDownCounter, .histogram: return declaration.name
        }
    }

    // MARK: Samples

    private mutating func writeSample(
        _ name: String, _ labels: [UInt8], _ value: Double, exemplar: Exemplar? = nil
    ) {
        samples += 1
        buffer.append(name)
        writeLabels(labels)
        buffer.appendNumber(value)
        if let exemplar { writeExemplar(exemplar) }
        buffer.append(UInt8(ascii: "\n"))
    }

    private mutating func writeLabels(_ labels: [UInt8]) {
        if !labels.isEmpty {
            buffer.append(UInt8(ascii: "{"))
            buffer.append(labels)
            buffer.append(UInt8(ascii: "}"))
        }
        buffer.append(UInt8(ascii: " "))
    }

    private static func boundText(_ bound: Double) -> [UInt8] {
        var text = ByteBuffer(capacity: 32)
        text.append("le=\"" as StaticString)
        text.appendCanonicalFloat(bound)
        text.append("\"} " as StaticString)
        return text.array()
    }

    private mutating func writeHistogram(_ name: String, _ series: HistogramSeries, _ bounds: [[UInt8]]) {
        let (sum, counts) = series.snapshot
        let exemplars = openMetrics ? series.exemplars.snapshot() : []
        var cumulative: UInt64 = 0
        for (index, count) in counts.enumerated() {
            cumulative += count
            buffer.append(name)
            buffer.append("_bucket{" as StaticString)
            if !series.labelText.isEmpty {
                buffer.append(series.labelText)
                buffer.append(UInt8(ascii: ","))
            }
            buffer.append(bounds[index])
            buffer.appendDecimal(cumulative)
            if index < exemplars.count, let exemplar = exemplars[index] { writeExemplar(exemplar) }
            buffer.append(UInt8(ascii: "\n"))
        }
        samples += counts.count
        // OpenMetrics: a sum that has shrunk is no counter, and then there is no `_count` either.
        if openMetrics, !(sum >= 0) || (series.bounds.first ?? 0) < 0 { return }
        samples += 2
        buffer.append(name)
        buffer.append("_sum" as StaticString)
        writeLabels(series.labelText)
        buffer.appendNumber(sum)
        buffer.append(UInt8(ascii: "\n"))
        buffer.append(name)
        buffer.append("_count" as StaticString)
        writeLabels(series.labelText)
        buffer.appendDecimal(cumulative)
        buffer.append(UInt8(ascii: "\n"))
    }

    private mutating func writeExemplar(_ exemplar: Exemplar) {
        buffer.append(" # {trace_id=\"" as StaticString)
        buffer.appendHex(exemplar.traceID.high)
        buffer.appendHex(exemplar.traceID.low)
        buffer.append("\",span_id=\"" as StaticString)
        buffer.appendHex(exemplar.spanID.value)
        buffer.append("\"} " as StaticString)
        buffer.appendNumber(exemplar.value)
        buffer.append(UInt8(ascii: " "))
        buffer.appendDecimal(exemplar.wallNanoseconds / 1_000_000_000)
        buffer.append(UInt8(ascii: "."))
        buffer.appendPadded(exemplar.wallNanoseconds / 1_000_000 % 1_000, width: 3)
    }
}

extension String {
    fileprivate func removing(suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
