internal import Telemetry

/// Who emits, and the standard variables that can have one value only or none here: a deployment that sets them is told,
/// rather than left to wonder.
extension ExportConfiguration {
    /// Several services share this process: each keeps its own name. Says so, when one was set.
    mutating func keepServiceNames() {
        guard serviceName != nil else { return }
        serviceName = nil
        warnings.append(
            "OTEL_SERVICE_NAME (or service.name in OTEL_RESOURCE_ATTRIBUTES) is ignored: several services share this "
                + "process and each has a name of its own; run one service a process to name it")
    }

    mutating func readResource(_ settings: ExportSettings) {
        if let text = settings["OTEL_RESOURCE_ATTRIBUTES"] {
            if let pairs = KeyValueList.parse(text) {
                resourceAttributes = pairs
            } else {
                warn("OTEL_RESOURCE_ATTRIBUTES", "name=value pairs joined by commas, values percent-encoded")
            }
        }
        let named = settings["OTEL_SERVICE_NAME"] ?? resourceAttributes.last { $0.0 == "service.name" }?.1
        guard let named else { return }
        if !named.isEmpty, named.utf8.count <= Self.maxServiceNameBytes,
            named.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        {
            serviceName = named
        } else {
            warn("OTEL_SERVICE_NAME", "1 to \(Self.maxServiceNameBytes) bytes without control characters")
        }
    }

    private static let maxServiceNameBytes = 255

    /// Standard variables of which one value only can be had here; another one is told of rather than ignored silently.
    private static let fixed: [(name: String, accepted: [String])] = [
        ("OTEL_PROPAGATORS", ["tracecontext,baggage", "baggage,tracecontext"]),
        ("OTEL_METRICS_EXEMPLAR_FILTER", ["trace_based"]),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["cumulative"]),
    ]
    /// Standard variables of things that are not here.
    private static let absent: [(name: String, instead: String)] = [
        ("OTEL_CONFIG_FILE", "nothing: there is no configuration file; use the other variables"),
        ("OTEL_EXPERIMENTAL_CONFIG_FILE", "nothing: there is no configuration file; use the other variables"),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "nothing: each service shows /metrics on its own port"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "nothing: each service shows /metrics on its own port"),
        ("OTEL_LOG_LEVEL", "nothing: LOG_LEVEL counts for what telemetry tells of itself, too"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "nothing: a log record has at most 128 attributes"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "nothing: a value of a log record has at most 8 KiB"),
        ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "nothing: methods beyond those of RFC 9110 and PATCH are _OTHER"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "nothing: spans go out by OTLP"),
    ]

    /// The forms of histograms: what OTLP gets, and what `/metrics` offers.
    mutating func readHistograms(_ settings: ExportSettings) {
        let aggregation = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
        switch settings[aggregation]?.lowercased() {
        case nil, "explicit_bucket_histogram": break
        // Kept only where it is sent.
        case "base2_exponential_bucket_histogram": histograms.isExponentialExported = targets[.metrics] != nil
        default: warn(aggregation, "explicit_bucket_histogram or base2_exponential_bucket_histogram")
        }
        let native = "VITRINE_NATIVE_HISTOGRAMS"
        guard let text = settings[native] else { return }
        if let value = HistogramForms.Native(rawValue: text.lowercased()) {
            histograms.native = value
        } else {
            warn(native, HistogramForms.Native.allCases.map(\.rawValue).joined(separator: ", "))
        }
    }

    mutating func readFixed(_ settings: ExportSettings) {
        for (name, accepted) in Self.fixed {
            guard let text = settings[name] else { continue }
            if !accepted.contains(text.filter { $0 != " " }.lowercased()) {
                warn(name, accepted.joined(separator: " or "))
            }
        }
        for (name, instead) in Self.absent where settings[name] != nil { warn(name, instead) }
    }
}
