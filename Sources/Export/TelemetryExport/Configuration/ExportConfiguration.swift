package import TLS
package import Telemetry
package import TelemetrySDK

/// The telemetry settings of a process, read from the standard `OTEL_*` variables, `LOG_LEVEL` and
/// `LOGSTASH_ADDRESS`. A value that cannot be used is warned about and replaced by its default: telemetry never
/// keeps a service from starting.
package struct ExportConfiguration: Sendable {
    /// Where each signal goes. The first collector is that of `OTEL_EXPORTER_OTLP_*`, further ones are those of
    /// `VITRINE_OTLP_2_*` to `VITRINE_OTLP_4_*`; each has a queue of its own. Spans go wherever there is an endpoint;
    /// metrics and logs, which have `/metrics` and Logstash, only where `OTEL_METRICS_EXPORTER` or `OTEL_LOGS_EXPORTER`
    /// is `otlp`.
    package var targets: [OTLPSignal: [OTLPTarget]] = [:]
    /// `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    package var sampler = Sampler.parentBased(root: .alwaysOn)
    /// Set by the sampler `vitrine_rules`: what becomes of traces that were not sampled beforehand.
    package var tail: TailBuffer.Configuration?
    /// `OTEL_SPAN_*_LIMIT`, `OTEL_EVENT_*_LIMIT`, `OTEL_LINK_*_LIMIT`, `OTEL_ATTRIBUTE_*_LIMIT`.
    package var spanLimits = SpanLimits()
    /// `OTEL_BSP_SCHEDULE_DELAY`, `_EXPORT_TIMEOUT`, `_MAX_QUEUE_SIZE`, `_MAX_EXPORT_BATCH_SIZE`.
    package var batching = BatchSpanProcessor.Configuration()
    /// `OTEL_BLRP_SCHEDULE_DELAY`: how long a log record waits for others, in milliseconds.
    package var logDelayMilliseconds = 1_000
    /// `OTEL_BLRP_MAX_QUEUE_SIZE`: log records that wait at most, for each thread.
    package var logQueueSize = BatchLogProcessor.usualQueueSize
    /// `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`: log records of one request.
    package var logBatchSize = 512
    /// `OTEL_BLRP_EXPORT_TIMEOUT`: for one request of log records, retries included.
    package var logTimeoutMilliseconds = 30_000
    /// `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.
    package var metricIntervalMilliseconds = 60_000
    /// `OTEL_METRIC_EXPORT_TIMEOUT`: for one request of data points, retries included.
    package var metricTimeoutMilliseconds = 30_000
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` and `VITRINE_NATIVE_HISTOGRAMS`.
    package var histograms = HistogramForms()
    /// How failed exports are tried again.
    package var retry = RetryPolicy()
    /// `VITRINE_OTLP_SPOOL`: the folder that keeps what a collector could not take; nil to keep it in memory only.
    package var spoolFolder: String?
    /// `VITRINE_OTLP_SPOOL_BYTES`: bytes on disk for each signal and collector.
    package var spoolBytes = 64 * 1024 * 1024
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    package var resourceAttributes: [(String, String)] = []
    /// `OTEL_SERVICE_NAME`, or else `service.name` of `OTEL_RESOURCE_ATTRIBUTES`: what the one service of this process is
    /// called.
    package internal(set) var serviceName: String?
    /// `LOG_LEVEL`.
    package var logLevel = LogLevel.info
    /// Lines below the level that are kept for each request (`LOG_DETAILS_BYTES`, 0 for none) and written when it fails
    /// or takes `LOG_SLOW_REQUEST_MS`.
    package var logDetails = LogDetailsPolicy(maxBytes: 0, slowMilliseconds: 1_000)
    /// `LOGSTASH_ADDRESS` as `host:port`; nil to ship no logs.
    package var logstash: HostAndPort?
    /// `LOGSTASH_TLS`, `LOGSTASH_CERTIFICATE`, `LOGSTASH_CLIENT_CERTIFICATE`, `LOGSTASH_CLIENT_KEY`; nil for plain text.
    package var logstashTLS: TLSContext?
    /// What was wrong, in sentences that name the variable and what it accepts, never what it held.
    package internal(set) var warnings: [String] = []

    package init() {}

    /// Reads the settings by their names; those of other names are left alone.
    package init(values: [String: String]) {
        let settings = ExportSettings(values)
        readTargets(settings)
        readSampler(settings)
        readLimits(settings)
        readBatching(settings)
        readSpool(settings)
        readResource(settings)
        readLogs(settings)
        readFixed(settings)
        readHistograms(settings)
        if settings["OTEL_SDK_DISABLED"]?.lowercased() == "true" {
            sampler = .passThrough
            tail = nil
            targets = [:]
            histograms.isExponentialExported = false
        }
    }

    /// Warns, once for each sentence.
    mutating func warn(_ variable: String, _ accepted: String) {
        let warning = "\(variable) is ignored: it takes \(accepted)"
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    /// How long one request of a signal is tried, retries included.
    func exportTimeoutMilliseconds(_ signal: OTLPSignal) -> Int {
        switch signal {
        case .traces: batching.exportTimeoutMilliseconds
        case .logs: logTimeoutMilliseconds
        case .metrics: metricTimeoutMilliseconds
        }
    }

    // MARK: Collectors

    /// Collectors beyond the standard one.
    private static let furtherCollectors = 2...4

    private mutating func readTargets(_ settings: ExportSettings) {
        let prefixes = ["OTEL_EXPORTER_OTLP"] + Self.furtherCollectors.map { "VITRINE_OTLP_\($0)" }
        for signal in OTLPSignal.allCases {
            let isWanted = isWanted(signal, settings)
            for (index, prefix) in prefixes.enumerated() {
                let setting = OTLPSettings(prefix: prefix, signal: signal, settings: settings)
                // Traces are the signal whose settings are always looked at, for the warnings.
                guard isWanted || signal == .traces && index == 0 else { continue }
                if let target = readTarget(setting, signal), isWanted { targets[signal, default: []].append(target) }
            }
        }
        if let disabled = settings["OTEL_SDK_DISABLED"]?.lowercased(), disabled != "true", disabled != "false" {
            warn("OTEL_SDK_DISABLED", "true or false")
        }
    }

    private mutating func isWanted(_ signal: OTLPSignal, _ settings: ExportSettings) -> Bool {
        let variable = "OTEL_\(signal.variable)_EXPORTER"
        guard let text = settings[variable] else { return signal == .traces }
        let names = Set(text.split(separator: ",").map { $0.filter { $0 != " " } })
        let known: Set<String> = signal == .metrics ? ["otlp", "prometheus", "none"] : ["otlp", "none"]
        guard names.isSubset(of: known) else {
            warn(variable, signal == .metrics ? "otlp, prometheus or none" : "otlp or none")
            return signal == .traces
        }
        return names.contains("otlp")
    }

    private mutating func readTarget(_ setting: OTLPSettings, _ signal: OTLPSignal) -> OTLPTarget? {
        var target: OTLPTarget?
        if let (name, text) = setting.own("ENDPOINT") {
            target = endpoint(name, OTLPEndpoint(signal: text))
        } else if let (name, text) = setting.shared("ENDPOINT") {
            target = endpoint(name, OTLPEndpoint(base: text, signalPath: signal.path))
        }
        if let (name, text) = setting["HEADERS"] {
            if let headers = OTLPHeaders.parse(text) {
                target?.headers = headers
            } else {
                warn(name, OTLPHeaders.accepted)
            }
        }
        if let (name, text) = setting["COMPRESSION"] {
            switch text {
            case "gzip": target?.isCompressed = true
            case "none": target?.isCompressed = false
            default: warn(name, "gzip or none")
            }
        }
        if let (name, text) = setting["PROTOCOL"] {
            switch text {
            case "http/protobuf": target?.isJSON = false
            case "http/json": target?.isJSON = true
            default: warn(name, "http/protobuf or http/json")
            }
        }
        if let (name, text) = setting["TIMEOUT"] {
            if let value = Int(text), value > 0 {
                target?.timeoutMilliseconds = value
            } else {
                warn(name, "milliseconds, 1 or more")
            }
        }
        let tls = readTLS(setting["CERTIFICATE"], setting["CLIENT_CERTIFICATE"], setting["CLIENT_KEY"])
        if target?.endpoint.isSecure == true {
            target?.tls = tls
            // In the clear it must not go.
            if tls == nil { target = nil }
        }
        return target
    }

    private mutating func endpoint(_ variable: String, _ endpoint: OTLPEndpoint?) -> OTLPTarget? {
        if let endpoint { return OTLPTarget(endpoint: endpoint) }
        warn(variable, "http://host:port or https://host:port with an optional path and without credentials")
        return nil
    }

    // MARK: Spans

    private mutating func readSampler(_ settings: ExportSettings) {
        guard let name = settings["OTEL_TRACES_SAMPLER"] else { return }
        let argument = settings["OTEL_TRACES_SAMPLER_ARG"]
        // An argument that cannot be used leaves the sampler that was asked for, with its defaults.
        if name == SamplingRules.name {
            let rules = SamplingRules(argument ?? "")
            if rules == nil { warn("OTEL_TRACES_SAMPLER_ARG", SamplingRules.accepted) }
            sampler = (rules ?? SamplingRules()).sampler
            tail = (rules ?? SamplingRules()).tail
            return
        }
        let ratio = argument.flatMap(Double.init).flatMap { (0...1).contains($0) ? $0 : nil }
        guard let known = ratio.map({ Sampler(name: name, ratio: $0) }) ?? Sampler(name: name) else {
            return warn(
                "OTEL_TRACES_SAMPLER",
                "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, "
                    + "parentbased_traceidratio or " + SamplingRules.name)
        }
        sampler = known
        if argument != nil, ratio == nil { warn("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1") }
    }

    private mutating func readLimits(_ settings: ExportSettings) {
        let counts = 1...SpanLimits.maxCount
        for name in ["OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] {
            number(settings, name, counts, \.spanLimits.attributes)
        }
        number(settings, "OTEL_SPAN_EVENT_COUNT_LIMIT", counts, \.spanLimits.events)
        number(settings, "OTEL_SPAN_LINK_COUNT_LIMIT", counts, \.spanLimits.links)
        number(settings, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", counts, \.spanLimits.eventAttributes)
        number(settings, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", counts, \.spanLimits.linkAttributes)
        for name in ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"] {
            number(settings, name, 1...SpanLimits.maxTextBytes, \.spanLimits.textBytes)
        }
    }

    private mutating func readBatching(_ settings: ExportSettings) {
        let range = 1...10_000_000
        number(settings, "OTEL_BSP_SCHEDULE_DELAY", range, \.batching.scheduleDelayMilliseconds)
        number(settings, "OTEL_BSP_EXPORT_TIMEOUT", range, \.batching.exportTimeoutMilliseconds)
        number(settings, "OTEL_BSP_MAX_QUEUE_SIZE", range, \.batching.maxQueueSize)
        number(settings, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", range, \.batching.maxExportBatchSize)
        batching.maxExportBatchSize = min(batching.maxExportBatchSize, batching.maxQueueSize)
        number(settings, "OTEL_BLRP_SCHEDULE_DELAY", range, \.logDelayMilliseconds)
        number(settings, "OTEL_BLRP_EXPORT_TIMEOUT", range, \.logTimeoutMilliseconds)
        number(settings, "OTEL_BLRP_MAX_QUEUE_SIZE", range, \.logQueueSize)
        number(settings, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 1...10_000, \.logBatchSize)
        number(settings, "OTEL_METRIC_EXPORT_INTERVAL", range, \.metricIntervalMilliseconds)
        number(settings, "OTEL_METRIC_EXPORT_TIMEOUT", range, \.metricTimeoutMilliseconds)
    }

    private mutating func number(
        _ settings: ExportSettings, _ name: String, _ range: ClosedRange<Int>,
        _ value: WritableKeyPath<ExportConfiguration, Int>
    ) {
        guard let text = settings[name] else { return }
        if let number = Int(text), range.contains(number) {
            self[keyPath: value] = number
        } else {
            warn(name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private mutating func readSpool(_ settings: ExportSettings) {
        number(settings, "VITRINE_OTLP_SPOOL_BYTES", 1_048_576...1_099_511_627_776, \.spoolBytes)
        guard let folder = settings["VITRINE_OTLP_SPOOL"] else { return }
        if folder.hasPrefix("/") {
            spoolFolder = folder
        } else {
            warn("VITRINE_OTLP_SPOOL", "the absolute path of a folder")
        }
    }

    // MARK: Logs

    private mutating func readLogs(_ settings: ExportSettings) {
        if let text = settings["LOG_LEVEL"] {
            if let level = LogLevel(name: text) {
                logLevel = level
            } else {
                warn("LOG_LEVEL", "debug, info, warn or error")
            }
        }
        if let text = settings["LOG_DETAILS_BYTES"] {
            if let bytes = Int(text), (0...1_048_576).contains(bytes) {
                logDetails.maxBytes = bytes
            } else {
                warn("LOG_DETAILS_BYTES", "a number from 0 to 1,048,576")
            }
        }
        if let text = settings["LOG_SLOW_REQUEST_MS"] {
            if let milliseconds = UInt64(text), (1...3_600_000).contains(milliseconds) {
                logDetails.slowNanoseconds = milliseconds * 1_000_000
            } else {
                warn("LOG_SLOW_REQUEST_MS", "milliseconds, from 1 to 3,600,000")
            }
        }
        if let text = settings["LOGSTASH_ADDRESS"] {
            logstash = HostAndPort(text)
            if logstash == nil { warn("LOGSTASH_ADDRESS", "host:port") }
        }
        readLogstashTLS(settings)
    }
}
