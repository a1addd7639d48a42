/// The telemetry of one service: its metrics, its tracer, its log. Made by the SDK, passed down, never global, so
/// that eighteen services share a process without mixing their series and tests run side by side.
package final class Telemetry: Sendable {
    /// The `service.name` of everything emitted.
    package let serviceName: String
    package let metrics: MetricRegistry
    package let tracer: Tracer
    package let logger: Logger

    init() { fatalError("skeleton") }

    /// Telemetry that records nothing: for exporters themselves, and for code under test that does not care.
    package static func disabled() -> Telemetry { fatalError("skeleton") }
}
