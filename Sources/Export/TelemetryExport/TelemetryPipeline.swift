package import EventLoop
package import Telemetry

/// The telemetry of a process: one exporter, one log writer, and a `Telemetry` for each service in it.
package final class TelemetryPipeline: Sendable {
    /// - Parameter values: the `OTEL_*`, `LOG_LEVEL` and `LOGSTASH_ADDRESS` settings; unknown values warn and fall back.
    package init(values: [String: String], group: EventLoopGroup) { fatalError("skeleton") }

    /// The telemetry of a service of this process; the same object for the same name.
    package func telemetry(for serviceName: String) -> Telemetry { fatalError("skeleton") }

    package func start() async { fatalError("skeleton") }

    /// Flushes spans and logs, waiting at most so long.
    package func shutdown(timeoutSeconds: Int) async { fatalError("skeleton") }
}
