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

    private static let systemName = AttributeKey("db.system.name")
    private static let operationName = AttributeKey("db.operation.name")

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
                    systemName, operationName, .serverAddress, .serverPort,
                ])
        ])

    let connected: GaugeSeries
    private let tracer: Tracer
    private let counts: CounterFamily
    private let durations: HistogramFamily
    private let address: RedisAddress?
    private let clock = TelemetryClock.system

    private let statements: [CommandTable]

    init(_ telemetry: Telemetry, url: String, loops: Int) {
        tracer = telemetry.tracer
        counts = telemetry.metrics.counter(Self.commands)
        durations = telemetry.metrics.histogram(Self.duration)
        connected = telemetry.metrics.upDownCounter(Self.connected).series()
        address = try? RedisAddress(url: url)
        statements = (0..<loops).map { _ in CommandTable() }
    }

    /// The series of one command, resolved once a loop.
    private struct Command {
        let successes: CounterSeries
        let duration: HistogramSeries
    }

    /// Safety (`@unchecked Sendable`): one table a loop, touched on its thread only.
    private final class CommandTable: @unchecked Sendable {
        var known: [String: Command] = [:]
    }

    private func command(_ name: String, loop: Int) -> Command {
        if let known = statements[loop].known[name] { return known }
        let command = Command(successes: counts.series(name, "success"), duration: durations.series(name))
        statements[loop].known[name] = command
        return command
    }

    /// Counts a command that waits on purpose: its duration says nothing of Redis, and nobody's trace is made longer.
    func countBlocking(_ name: String, loop: EventLoop, _ body: () async throws -> RedisValue) async throws
        -> RedisValue
    {
        loop.preconditionInLoop()
        do {
            let value = try await body()
            command(name, loop: loop.index).successes.increment()
            return value
        } catch {
            counts.series(name, "error").increment()
            throw error
        }
    }

    /// Runs a command within its span, and measures it. On the loop only.
    func observe(_ name: String, loop: EventLoop, _ body: () async throws -> RedisValue) async throws -> RedisValue {
        loop.preconditionInLoop()
        let command = command(name, loop: loop.index)
        let span = tracer.startSpan(name, kind: .client)
        if span.isRecording {
            span.set(Self.systemName, "redis")
            span.set(Self.operationName, name)
            if let address {
                span.set(.serverAddress, address.host)
                span.set(.serverPort, address.port)
            }
        }
        let start = clock.monotonicNanoseconds()
        defer {
            command.duration.record(Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            let value = try await body()
            command.successes.increment()
            return value
        } catch {
            span.recordError(type: (error as? RedisError)?.type ?? "other")
            counts.series(name, "error").increment()
            throw error
        }
    }
}
