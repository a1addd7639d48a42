internal import EventLoop
package import Telemetry

/// What the Redis client tells of itself: the command's name, never its keys or values.
package struct RedisTelemetry: Sendable {
    package static let commands = Counter(
        "redis_commands_total", help: "Commands sent to Redis.", labels: ["command", "outcome"])
    package static let duration = Histogram(
        "redis_command_duration_seconds", unit: .seconds, help: "Duration of commands, until the reply.",
        labels: ["command"], buckets: Histogram.databaseBuckets)
    package static let connected = UpDownCounter(
        "redis_connected", help: "Connections to Redis that are open.")

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        commands.declaration, duration.declaration, connected.declaration,
    ]

    /// Every name that the client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{command}", kind: .client, help: "A command: its name, never its keys or values.",
                attributes: [
                    AttributeKey("db.system.name"), AttributeKey("db.operation.name"), .serverAddress, .serverPort,
                ])
        ])

    let connected: GaugeSeries
    private let tracer: Tracer
    private let counts: CounterFamily
    private let durations: HistogramFamily
    private let address: RedisAddress?
    private let clock = TelemetryClock.system

    init(_ telemetry: Telemetry, url: String) {
        tracer = telemetry.tracer
        counts = telemetry.metrics.counter(Self.commands)
        durations = telemetry.metrics.histogram(Self.duration)
        connected = telemetry.metrics.upDownCounter(Self.connected).series()
        address = try? RedisAddress(url: url)
    }

    func observe(_ command: String, _ body: () async throws -> RedisValue) async throws -> RedisValue {
        let span = tracer.startSpan(command, kind: .client)
        if span.isRecording {
            span.set(AttributeKey("db.system.name"), "redis")
            span.set(AttributeKey("db.operation.name"), command)
            if let address {
                span.set(.serverAddress, address.host)
                span.set(.serverPort, address.port)
            }
        }
        let start = clock.monotonicNanoseconds()
        defer {
            durations.series(command).record(
                Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            let value = try await body()
            counts.series(command, "success").increment()
            return value
        } catch {
            span.recordError(type: (error as? RedisError)?.type ?? "other")
            counts.series(command, "error").increment()
            throw error
        }
    }
}
