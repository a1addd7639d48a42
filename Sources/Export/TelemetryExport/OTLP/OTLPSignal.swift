package import TLS

/// What OTLP carries: each kind has a path, a queue and counters of its own.
package enum OTLPSignal: String, CaseIterable, Sendable {
    case traces, metrics, logs

    /// The path that is appended to a base endpoint.
    var path: String { "v1/" + rawValue }

    /// As in `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.
    var variable: String { rawValue.uppercased() }

    /// What is counted, in words.
    var items: String {
        switch self {
        case .traces: "spans"
        case .metrics: "data points"
        case .logs: "log records"
        }
    }

    /// As `otel.component.type` names an exporter.
    var componentType: String {
        switch self {
        case .traces: "otlp_http_span_exporter"
        case .metrics: "otlp_http_metric_exporter"
        case .logs: "otlp_http_log_exporter"
        }
    }
}

/// How a body is written.
struct OTLPFormat: Hashable, Sendable {
    /// `http/json` instead of `http/protobuf`.
    var isJSON: Bool
    /// gzip.
    var isCompressed: Bool

    var contentType: String { isJSON ? "application/json" : "application/x-protobuf" }
}

/// One request body as it is sent.
struct OTLPMessage: Sendable {
    let body: [UInt8]
    /// Spans, data points or log records in it.
    let itemCount: Int
    let format: OTLPFormat
}

/// Where and how one signal goes to one collector.
package struct OTLPTarget: Sendable {
    package var endpoint: OTLPEndpoint
    /// Sent with every request (`…_HEADERS`); may hold credentials.
    package var headers: [(name: String, value: String)] = []
    /// `…_PROTOCOL`: `http/json` instead of `http/protobuf`.
    package var isJSON = false
    /// `…_COMPRESSION`: `gzip` or `none`. Gzip unless told otherwise or the collector is on this machine: there bytes cost
    /// next to nothing, and to compress a span costs as much as all else that is done for it.
    package var isCompressed: Bool
    /// `…_CERTIFICATE`, `…_CLIENT_CERTIFICATE`, `…_CLIENT_KEY`; nil for plain HTTP.
    package var tls: TLSContext?
    /// One attempt (`…_TIMEOUT`), in milliseconds.
    package var timeoutMilliseconds = 10_000

    package init(endpoint: OTLPEndpoint) {
        self.endpoint = endpoint
        isCompressed = !endpoint.isOnThisMachine
    }

    var format: OTLPFormat { OTLPFormat(isJSON: isJSON, isCompressed: isCompressed) }
}
