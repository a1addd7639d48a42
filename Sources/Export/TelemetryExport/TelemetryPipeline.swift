package import EventLoop
internal import Glibc
internal import Synchronization
package import Telemetry
internal import TelemetrySDK

/// The telemetry of a process: one exporter, one log writer, and a `Telemetry` for each service in it.
///
/// The metrics of the process itself (CPU, memory, descriptors) and of this pipeline (queues, exports, lost spans and
/// lines) are shown by every service: whoever looks at one service sees whether its process is the trouble, and a
/// service that moves to a process of its own loses no series. A sum over services counts a shared process once for
/// each of them: take `max by (process_pid)` with `target_info`, or look at one target.
package final class TelemetryPipeline: Sendable {
    static let settingIgnored = LogEvent(
        "telemetry.setting_ignored", level: .warn, help: "A telemetry setting could not be used.")
    static let targetInfo = Info(
        "target_info", help: "The OpenTelemetry resource of the service.",
        labels: resourceLabels.map(\.label))
    /// The labels of `target_info`, and the attributes of the resource that they show; empty ones are no labels to
    /// Prometheus.
    private static let resourceLabels = [
        "service.name", "service.namespace", "service.instance.id", "service.version", "deployment.environment.name",
        "host.name", "process.pid", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version",
    ].map { (attribute: $0, label: String($0.map { $0 == "." ? "_" : $0 })) }

    private let configuration: ExportConfiguration
    private let writer: LogWriter
    private let spans: BatchExporter?
    private let logs: BatchExporter?
    private let metrics: MetricExporter?
    private let logProcessor: BatchLogProcessor?
    /// What ended spans go to: the processor, or the tail buffer in front of it.
    private let spanSink: (any SpanSink)?
    /// Encodes, compresses and keeps on disk, off the loops.
    private let worker = WorkerPool(threads: 1, capacity: 256, name: "telemetry")
    /// The pipeline's own: its registry is the process's, its logger reports problems of telemetry itself.
    private let own: Telemetry
    private let services: Services

    /// The services that asked for their telemetry; the exporter of metrics reads them too.
    private final class Services: Sendable {
        let known = Mutex<[String: (telemetry: Telemetry, resource: ServiceResource)]>([:])
    }

    /// The metrics of the process and of this pipeline; every service shows them too.
    package var processMetrics: MetricRegistry { own.metrics }

    /// - Parameters:
    ///   - values: the `OTEL_*`, `LOG_LEVEL` and `LOGSTASH_ADDRESS` settings; unknown values warn and fall back.
    ///   - hasManyServices: each of them keeps its own name, whatever `OTEL_SERVICE_NAME` says.
    package convenience init(values: [String: String], group: EventLoopGroup, hasManyServices: Bool = false) {
        var configuration = ExportConfiguration(values: values)
        if hasManyServices { configuration.keepServiceNames() }
        self.init(configuration: configuration, group: group)
    }

    /// - Parameter output: the descriptor that log lines are written to; standard output unless told otherwise.
    package init(configuration: ExportConfiguration, group: EventLoopGroup, output: Int32 = STDOUT_FILENO) {
        self.configuration = configuration
        let metrics = MetricRegistry(histograms: configuration.histograms)
        let shipper = configuration.logstash.map {
            LogstashShipper(address: $0, tls: configuration.logstashTLS, metrics: metrics)
        }
        writer = LogWriter(output: output, shipper: shipper, metrics: metrics)
        own = Telemetry(
            resource: ServiceResource(name: "telemetry"), sampler: .alwaysOff, spanSink: nil, logSink: writer,
            logLevel: LogLevelControl(configuration.logLevel), metrics: metrics)
        shipper?.report(to: own.logger)
        ProcessMetrics.register(in: metrics)
        let logger = own.logger
        let worker = worker
        func senders(_ signal: OTLPSignal) -> OTLPSenders? {
            guard let targets = configuration.targets[signal], !targets.isEmpty else { return nil }
            return OTLPSenders(
                targets.enumerated().map { number, target in
                    OTLPSender(
                        signal, target: target, configuration: configuration, group: group, worker: worker,
                        instruments: OTLPInstruments(signal, number: number, metrics: metrics), logger: logger)
                })
        }
        let services = Services()
        self.services = services
        (spans, spanSink) = Self.spans(senders(.traces), configuration, group, worker, metrics)
        (logs, logProcessor) = Self.logs(senders(.logs), configuration, group, worker, metrics)
        self.metrics = senders(.metrics).map {
            MetricExporter(
                senders: $0, intervalMilliseconds: configuration.metricIntervalMilliseconds, group: group,
                worker: worker, metrics: metrics
            ) {
                services.known.withLock { known in
                    known.sorted { $0.key < $1.key }.map { ($0.value.resource, $0.value.telemetry.metrics) }
                }
            }
        }
    }

    private static func spans(
        _ senders: OTLPSenders?, _ configuration: ExportConfiguration, _ group: EventLoopGroup, _ worker: WorkerPool,
        _ metrics: MetricRegistry
    ) -> (exporter: BatchExporter?, sink: (any SpanSink)?) {
        guard let senders else { return (nil, nil) }
        let task = LoopTask(loop: group.next())
        let processor = BatchSpanProcessor(configuration: configuration.batching, metrics: metrics) {
            [wakeUp = task.wakeUp] in wakeUp.notify()
        }
        let exporter = BatchExporter(
            .traces, source: processor, senders: senders,
            delayMilliseconds: configuration.batching.scheduleDelayMilliseconds, task: task, worker: worker)
        guard let tail = configuration.tail else { return (exporter, processor) }
        return (exporter, TailBuffer(tail, next: processor, metrics: metrics))
    }

    private static func logs(
        _ senders: OTLPSenders?, _ configuration: ExportConfiguration, _ group: EventLoopGroup, _ worker: WorkerPool,
        _ metrics: MetricRegistry
    ) -> (exporter: BatchExporter?, processor: BatchLogProcessor?) {
        guard let senders else { return (nil, nil) }
        let task = LoopTask(loop: group.next())
        let processor = BatchLogProcessor(
            maxQueueSize: configuration.logQueueSize, maxExportBatchSize: configuration.logBatchSize, metrics: metrics
        ) { [wakeUp = task.wakeUp] in wakeUp.notify() }
        let exporter = BatchExporter(
            .logs, source: processor, senders: senders, delayMilliseconds: configuration.logDelayMilliseconds,
            task: task, worker: worker)
        return (exporter, processor)
    }

    /// The telemetry of a service of this process; the same object for the same name.
    package func telemetry(for serviceName: String) -> Telemetry {
        services.known.withLock { services in
            if let known = services[serviceName] { return known.telemetry }
            let resource = ServiceResource.standard(
                serviceName: configuration.serviceName ?? serviceName, overrides: configuration.resourceAttributes)
            let telemetry = Telemetry(
                resource: resource, sampler: configuration.sampler, spanSink: spanSink, logSink: writer,
                // A control of its own: what is set through one service leaves the others alone.
                logLevel: LogLevelControl(configuration.logLevel), spanLimits: configuration.spanLimits,
                metrics: MetricRegistry(histograms: configuration.histograms),
                logRecordSink: logProcessor?.sink(for: resource), logDetails: configuration.logDetails)
            telemetry.metrics.info(Self.targetInfo, Self.resourceLabels.map { resource[$0.attribute] })
            telemetry.metrics.include(own.metrics)
            services[serviceName] = (telemetry, resource)
            return telemetry
        }
    }

    /// Starts to export and to write. What was emitted before is not lost, as far as the buffers reach.
    package func start() async {
        writer.start()
        spans?.start()
        logs?.start()
        metrics?.start()
        for warning in configuration.warnings { own.logger.log(Self.settingIgnored, warning) }
    }

    /// Tells of a crash of the process in one line, and flushes the logs before it ends.
    /// - Parameter name: what the line says is the service, unless the settings name it.
    package func reportCrashes(as name: String) {
        if !CrashReporter.install(serviceName: configuration.serviceName ?? name) {
            own.logger.log(Self.settingIgnored, "crashes are not reported: the system takes no handlers for them")
        }
    }

    /// Flushes spans and logs, waiting at most so long.
    package func shutdown(timeoutSeconds: Int) async {
        let start = TelemetryClock.system.monotonicNanoseconds()
        let budget = max(0, timeoutSeconds) * 1_000
        for telemetry in services.known.withLock({ $0.values.map(\.telemetry) }) { telemetry.logger.reportRepeats() }
        own.logger.reportRepeats()
        // Logs keep a part of the time: they tell what became of the spans.
        let (spans, logs, metrics) = (spans, logs, metrics)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await spans?.shutdown(timeoutMilliseconds: budget * 3 / 4) }
            tasks.addTask { await logs?.shutdown(timeoutMilliseconds: budget * 3 / 4) }
            tasks.addTask { await metrics?.shutdown(timeoutMilliseconds: budget * 3 / 4) }
        }
        worker.shutdown()
        let spent = Int((TelemetryClock.system.monotonicNanoseconds() - start) / 1_000_000)
        await writer.shutdown(timeoutMilliseconds: max(0, budget - spent))
    }
}

extension ServiceResource {
    /// An attribute's text; empty when there is none.
    fileprivate subscript(_ name: String) -> String {
        if name == "service.name" { return self.name }
        switch attributes.first(where: { $0.key.name == name })?.value {
        case .string(let text): return text
        case .int(let number): return "\(number)"
        default: return ""
        }
    }
}
