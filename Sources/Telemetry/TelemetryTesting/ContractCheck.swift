internal import FoundationEssentials
package import Telemetry

/// Holds what was emitted against what was declared: a metric, label, span, attribute, log event or field that no
/// declaration of the service names is a violation, told in a sentence.
extension TelemetryContract {
    /// Everything in a capture that the contract does not know, without repetitions.
    package func violations(in capture: TelemetryCapture) -> [String] {
        let found =
            violations(inExposition: capture.text)
            + capture.spans.flatMap {
                violations(ofSpan: $0.name, kind: $0.kind, attributes: $0.attributes.keys.sorted())
            } + capture.logLines.flatMap(violations(inLogLine:))
        return Set(found).sorted()
    }

    /// What a `/metrics` page (text 0.0.4) shows beyond the contract.
    package func violations(inExposition text: String) -> [String] {
        var violations: [String] = []
        var current: MetricDeclaration?
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                guard words.count == 4 else { continue }
                let name = String(words[2])
                current = metric(name)
                guard let current else {
                    violations.append("\(service): the metric \(name) is not declared")
                    continue
                }
                let type = current.kind.prometheusType
                if type != words[3] {
                    violations.append("\(service): \(name) is a \(words[3]), declared as a \(type)")
                }
            } else if !line.hasPrefix("#"), let current {
                let allowed = Set(current.labels + ["le", "otel_metric_overflow"])
                for label in Self.labels(of: line) where !allowed.contains(label) {
                    violations.append("\(service): \(current.name) has the label \(label), which is not declared")
                }
            }
        }
        return violations
    }

    /// What is undeclared about one span.
    package func violations(ofSpan name: String, kind: SpanKind, attributes: [String]) -> [String] {
        let candidates = spans.filter { $0.matches(name, kind: kind) }
        guard !candidates.isEmpty else { return ["\(service): the \(kind) span '\(name)' is not declared"] }
        let undeclared = candidates.map { candidate in
            let allowed = Set(candidate.attributes.map(\.name))
            return attributes.filter { !allowed.contains($0) && $0 != AttributeKey.errorType.name }
        }
        // Whichever declaration fits best is the one that was meant.
        guard let fewest = undeclared.min(by: { $0.count < $1.count }), !fewest.isEmpty else { return [] }
        return fewest.map { "\(service): the \(kind) span '\(name)' has the attribute \($0), which is not declared" }
    }

    /// What is undeclared about one log line (ECS JSON).
    package func violations(inLogLine line: String) -> [String] {
        guard let line = LogLineKeys(line) else { return ["\(service): a log line is not a JSON object"] }
        guard let event = line.event else { return ["\(service): a log line has no event.action"] }
        let scopes = scopes.filter { $0.declarations.events.contains { $0.name == event } }
        guard !scopes.isEmpty else { return ["\(service): the log event \(event) is not declared"] }
        let allowed = LogEvent.commonFields.union(scopes.flatMap { $0.declarations.fields.map(\.name) })
        return line.keys.filter { !allowed.contains($0) }.sorted().map {
            "\(service): a line of \(event) has the field \($0), which is not declared"
        }
    }

    private static func labels(of sample: Substring) -> [String] {
        guard let space = sample.lastIndex(of: " "), let series = SeriesText(sample[..<space]) else { return [] }
        return series.labelNames
    }
}

extension MetricDeclaration.Kind {
    /// The word of `# TYPE` lines in the Prometheus text format.
    package var prometheusType: String {
        switch self {
        case .counter: "counter"
        case .gauge, .upDownCounter, .info: "gauge"
        case .histogram: "histogram"
        }
    }
}

/// The names in one log line.
struct LogLineKeys {
    let keys: [String]
    let event: String?

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Line: Decodable {
        let keys: [String]
        let event: String?
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            keys = container.allKeys.map(\.stringValue)
            event = try container.decodeIfPresent(String.self, forKey: AnyKey(stringValue: "event.action"))
        }
    }

    /// Nil when the text is not a JSON object.
    init?(_ text: String) {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)) else { return nil }
        keys = line.keys
        event = line.event
    }
}
