internal import EventLoop
package import Telemetry

/// What the Redis client tells of itself: the command's name, never its keys or values.
package struct RedisTelemetry: Sendable {
    package static let commands = Counter(
        "redis_commands_total",
        help: "Commands sent to Redis, by outcome: success, error, or cancelled by who had asked.",
        labels: ["command", "outcome"])
    package static let duration = Histogram(
        "redis_command_duration_seconds", unit: .seconds, help: "Duration of commands, until the reply.",
        labels: ["command"], buckets: Histogram.databaseBuckets)
    package static let connected = UpDownCounter(
        "redis_connected", help: "Connections to Redis that are open.")

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        commands.declaration, duration.declaration, DatabaseOperation.duration.declaration, connected.declaration,
    ]

    /// Every name that the client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{command}", kind: .client, help: "A command: its name, never its keys or values.",
                attributes: DatabaseOperation.spanAttributes)
        ])

    let connected: GaugeSeries
    private let telemetry: Telemetry
    private let counts: CounterFamily
    private let durations: HistogramFamily
    let peer: DatabaseOperation.Peer
    private let clock = TelemetryClock.system

    private let commands: [CommandTable]

    init(_ telemetry: Telemetry, url: String, loops: Int) {
        self.telemetry = telemetry
        counts = telemetry.metrics.counter(Self.commands)
        durations = telemetry.metrics.histogram(Self.duration)
        connected = telemetry.metrics.upDownCounter(Self.connected).series()
        // A URL that is none is told of by the first connection.
        let address = try? RedisAddress(url: url)
        peer = DatabaseOperation.Peer(
            system: "redis", namespace: String(address?.database ?? 0), address: address?.host ?? "",
            port: address?.port ?? 0)
        commands = (0..<loops).map { _ in CommandTable() }
    }

    /// The counters of one command, resolved once a loop.
    private final class Command {
        let name: String
        let successes: CounterSeries
        let errors: CounterSeries
        let cancellations: CounterSeries
        private var timing: Timing?

        /// A command that only ever waits on purpose is not timed.
        final class Timing {
            let operation: DatabaseOperation
            let duration: HistogramSeries

            init(_ name: String, _ client: RedisTelemetry) {
                operation = DatabaseOperation(client.telemetry, client.peer, name: name)
                duration = client.durations.series(name)
            }
        }

        init(_ name: String, _ counts: CounterFamily) {
            self.name = name
            successes = counts.series(name, "success")
            errors = counts.series(name, "error")
            cancellations = counts.series(name, "cancelled")
        }

        func timing(_ client: RedisTelemetry) -> Timing {
            if let timing { return timing }
            let new = Timing(name, client)
            timing = new
            return new
        }
    }

    /// Safety (`@unchecked Sendable`): one table a loop, touched on its thread only.
    private final class CommandTable: @unchecked Sendable {
        var known: [String: Command] = [:]
    }

    private func command(_ name: String, loop: Int) -> Command {
        if let known = commands[loop].known[name] { return known }
        let command = Command(name, counts)
        commands[loop].known[name] = command
        return command
    }

    /// Counts a command that waits on purpose: its duration says nothing of Redis, and nobody's trace is made longer.
    func countBlocking(_ name: String, loop: EventLoop, _ body: () async throws -> RedisValue) async throws
        -> RedisValue
    {
        loop.preconditionInLoop()
        let command = command(name, loop: loop.index)
        do {
            let value = try await body()
            command.successes.increment()
            return value
        } catch {
            (error is CancellationError ? command.cancellations : command.errors).increment()
            throw error
        }
    }

    /// Runs a command within its span, and measures it. On the loop only.
    func observe(_ name: String, loop: EventLoop, _ body: () async throws -> RedisValue) async throws -> RedisValue {
        loop.preconditionInLoop()
        let command = command(name, loop: loop.index)
        let timing = command.timing(self)
        let span = telemetry.tracer.startSpan(name, kind: .client)
        span.set(timing.operation.attributes)
        let start = clock.monotonicNanoseconds()
        do {
            let value = try await body()
            command.successes.increment()
            end(timing, span, start, .completed)
            return value
        } catch is CancellationError {
            command.cancellations.increment()
            end(timing, span, start, .cancelled)
            throw CancellationError()
        } catch {
            command.errors.increment()
            end(timing, span, start, Self.failure(error))
            throw error
        }
    }

    private func end(_ timing: Command.Timing, _ span: Span, _ start: UInt64, _ ending: DatabaseOperation.Ending) {
        let seconds = Double(clock.monotonicNanoseconds() - start) / 1e9
        timing.duration.record(seconds, exemplar: span.context)
        timing.operation.end(span, seconds: seconds, ending)
    }

    /// Redis says what is wrong in the first word of its answer.
    private static func failure(_ error: any Error) -> DatabaseOperation.Ending {
        guard let error = error as? RedisError else { return .failed(type: ErrorType.name(of: error), status: "") }
        if case .server = error { return .failed(type: error.type, status: error.type) }
        return .failed(type: error.type, status: "")
    }
}
