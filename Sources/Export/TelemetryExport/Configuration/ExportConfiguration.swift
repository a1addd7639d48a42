package import Telemetry
package import TelemetrySDK

/// The telemetry settings of a process, read from the standard `OTEL_*` variables, `LOG_LEVEL` and
/// `LOGSTASH_ADDRESS`. A value that cannot be used is warned about and replaced by its default: telemetry never
/// keeps a service from starting.
package struct ExportConfiguration: Sendable {
    /// Where spans go (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`); nil to export none.
    package var tracesEndpoint: OTLPEndpoint?
    /// Sent with every request (`OTEL_EXPORTER_OTLP_HEADERS`, `_TRACES_HEADERS`); may hold credentials.
    package var tracesHeaders: [(name: String, value: String)] = []
    /// `OTEL_EXPORTER_OTLP_COMPRESSION`, `_TRACES_COMPRESSION`: `gzip` or `none`; gzip unless told otherwise.
    package var isCompressed = true
    /// One attempt (`OTEL_EXPORTER_OTLP_TIMEOUT`, `_TRACES_TIMEOUT`), in milliseconds.
    package var timeoutMilliseconds = 10_000
    /// `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    package var sampler = Sampler.parentBased(root: .alwaysOn)
    /// `OTEL_BSP_SCHEDULE_DELAY`, `_EXPORT_TIMEOUT`, `_MAX_QUEUE_SIZE`, `_MAX_EXPORT_BATCH_SIZE`.
    package var batching = BatchSpanProcessor.Configuration()
    /// How failed exports are tried again.
    package var retry = RetryPolicy()
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    package var resourceAttributes: [(String, String)] = []
    /// `LOG_LEVEL`.
    package var logLevel = LogLevel.info
    /// `LOGSTASH_ADDRESS` as `host:port`; nil to ship no logs.
    package var logstash: HostAndPort?
    /// What was wrong, in sentences that name the variable and what it accepts, never what it held.
    package private(set) var warnings: [String] = []

    package init() {}

    /// Reads the settings by their names; those of other names are left alone.
    package init(values: [String: String]) {
        let reader = Reader(values)
        readTraces(reader)
        readBatching(reader)
        if let text = reader["OTEL_RESOURCE_ATTRIBUTES"] {
            if let pairs = KeyValueList.parse(text) {
                resourceAttributes = pairs
            } else {
                warn("OTEL_RESOURCE_ATTRIBUTES", "name=value pairs joined by commas, values percent-encoded")
            }
        }
        if let text = reader["LOG_LEVEL"] {
            if let level = LogLevel(name: text) {
                logLevel = level
            } else {
                warn("LOG_LEVEL", "debug, info, warn or error")
            }
        }
        if let text = reader["LOGSTASH_ADDRESS"] {
            logstash = HostAndPort(text)
            if logstash == nil { warn("LOGSTASH_ADDRESS", "host:port") }
        }
    }

    /// The settings by name; an empty value counts as none (OpenTelemetry specification, environment variables).
    private struct Reader {
        let values: [String: String]
        init(_ values: [String: String]) { self.values = values }
        subscript(_ name: String) -> String? {
            guard let value = values[name] else { return nil }
            let trimmed = value.drop { $0 == " " }
            return trimmed.isEmpty ? nil : String(trimmed)
        }
        /// The variable of the traces signal, else the one of all signals.
        func otlp(_ suffix: String) -> (name: String, value: String)? {
            for name in ["OTEL_EXPORTER_OTLP_TRACES_" + suffix, "OTEL_EXPORTER_OTLP_" + suffix] {
                if let value = self[name] { return (name, value) }
            }
            return nil
        }
    }

    private mutating func warn(_ variable: String, _ accepted: String) {
        warnings.append("\(variable) is ignored: it takes \(accepted)")
    }

    private mutating func readTraces(_ reader: Reader) {
        if let name = reader["OTEL_TRACES_SAMPLER"] {
            let argument = reader["OTEL_TRACES_SAMPLER_ARG"]
            if let known = Sampler(name: name, argument: argument) {
                sampler = known
            } else {
                warn(
                    "OTEL_TRACES_SAMPLER",
                    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or "
                        + "parentbased_traceidratio, and OTEL_TRACES_SAMPLER_ARG a number from 0 to 1")
            }
        }
        if let text = reader["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            setEndpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", OTLPEndpoint(signal: text))
        } else if let text = reader["OTEL_EXPORTER_OTLP_ENDPOINT"] {
            setEndpoint("OTEL_EXPORTER_OTLP_ENDPOINT", OTLPEndpoint(base: text, signalPath: "v1/traces"))
        }
        if let (name, text) = reader.otlp("HEADERS") {
            if let pairs = KeyValueList.parse(text) {
                tracesHeaders = pairs.map { (name: $0.0, value: $0.1) }
            } else {
                warn(name, "name=value pairs joined by commas, values percent-encoded")
            }
        }
        if let (name, text) = reader.otlp("COMPRESSION") {
            switch text {
            case "gzip": isCompressed = true
            case "none": isCompressed = false
            default: warn(name, "gzip or none")
            }
        }
        if let (name, text) = reader.otlp("PROTOCOL"), text != "http/protobuf" {
            warn(name, "http/protobuf")
        }
        if let (name, text) = reader.otlp("TIMEOUT") {
            if let value = Int(text), value > 0 {
                timeoutMilliseconds = value
            } else {
                warn(name, "milliseconds, 1 or more")
            }
        }
        switch reader["OTEL_TRACES_EXPORTER"] {
        case nil, "otlp": break
        case "none": tracesEndpoint = nil
        default: warn("OTEL_TRACES_EXPORTER", "otlp or none")
        }
        switch reader["OTEL_SDK_DISABLED"]?.lowercased() {
        case nil, "false": break
        case "true":
            sampler = .alwaysOff
            tracesEndpoint = nil
        default: warn("OTEL_SDK_DISABLED", "true or false")
        }
    }

    private mutating func setEndpoint(_ variable: String, _ endpoint: OTLPEndpoint?) {
        tracesEndpoint = endpoint
        if endpoint == nil {
            warn(
                variable,
                "http://host:port with an optional path and without credentials (https needs a local collector)")
        }
    }

    private mutating func readBatching(_ reader: Reader) {
        func number(_ name: String, _ value: inout Int, _ warnings: inout [String]) {
            guard let text = reader[name] else { return }
            if let number = Int(text), number > 0, number <= 10_000_000 {
                value = number
            } else {
                warnings.append("\(name) is ignored: it takes a number from 1 to 10,000,000")
            }
        }
        number("OTEL_BSP_SCHEDULE_DELAY", &batching.scheduleDelayMilliseconds, &warnings)
        number("OTEL_BSP_EXPORT_TIMEOUT", &batching.exportTimeoutMilliseconds, &warnings)
        number("OTEL_BSP_MAX_QUEUE_SIZE", &batching.maxQueueSize, &warnings)
        number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &batching.maxExportBatchSize, &warnings)
        batching.maxExportBatchSize = min(batching.maxExportBatchSize, batching.maxQueueSize)
    }
}
