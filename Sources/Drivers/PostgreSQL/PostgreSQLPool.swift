internal import ConnectionPool
internal import EventLoop
internal import Telemetry

/// The connections of one event loop: drives a `PoolState` with real sockets.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class PostgreSQLPool: @unchecked Sendable {
    let loop: EventLoop
    private let configuration: PostgreSQLClient.Configuration
    private let applicationName: String
    private let telemetry: PostgreSQLTelemetry
    private let resolver: NameResolver
    private var state: PoolState
    private var connections: [PoolState.Connection: PostgreSQLConnection] = [:]
    private var numbers: [ObjectIdentifier: PoolState.Connection] = [:]
    private var callers: [PoolState.Waiter: CheckedContinuation<PostgreSQLConnection, any Error>] = [:]
    private var nextCaller = 0
    private var lastError = PostgreSQLError.connection("not connected yet")
    private var ticker: LoopTimer?

    private static let maxWaiters = 1_024
    private static let idleTimeoutMilliseconds: UInt64 = 60_000
    private static let tickMilliseconds: UInt64 = 100

    init(
        loop: EventLoop, configuration: PostgreSQLClient.Configuration, applicationName: String,
        telemetry: PostgreSQLTelemetry
    ) {
        self.loop = loop
        resolver = NameResolver(loop: loop)
        self.configuration = configuration
        self.applicationName = applicationName
        self.telemetry = telemetry
        state = PoolState(
            maxConnections: configuration.poolSizePerLoop, maxWaiters: Self.maxWaiters,
            idleTimeoutMilliseconds: Self.idleTimeoutMilliseconds)
    }

    /// Lends a connection to `body`; afterwards it goes back, or is closed when it is no longer usable.
    func withConnection<T>(_ body: (PostgreSQLConnection) async throws -> T) async throws -> T {
        let connection = try await acquire()
        do {
            let result = try await body(connection)
            giveBack(connection)
            return result
        } catch {
            giveBack(connection)
            throw error
        }
    }

    /// - Throws: `PostgreSQLError.poolTimeout`, `.connection`, `.shutDown`.
    func acquire() async throws -> PostgreSQLConnection {
        loop.preconditionInLoop()
        nextCaller += 1
        let caller = nextCaller
        let deadline = loop.nowMilliseconds + UInt64(configuration.acquireTimeoutMilliseconds)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                callers[caller] = continuation
                perform(state.acquire(caller, deadline: deadline))
                if !callers.isEmpty { startTicking() }
            }
        } onCancel: {
            loop.execute { self.abandon(caller) }
        }
    }

    private func abandon(_ caller: PoolState.Waiter) {
        guard let continuation = callers.removeValue(forKey: caller) else { return }
        state.abandon(caller)
        continuation.resume(throwing: CancellationError())
    }

    func giveBack(_ connection: PostgreSQLConnection) {
        guard let number = numbers[ObjectIdentifier(connection)] else { return }
        if connection.isUsable {
            perform(state.release(number, now: loop.nowMilliseconds))
            startTicking()
        } else {
            forget(number)
        }
        report()
    }

    private func forget(_ number: PoolState.Connection) {
        if let connection = connections.removeValue(forKey: number) {
            numbers[ObjectIdentifier(connection)] = nil
            connection.onBroken = nil
            connection.close()
        }
        perform(state.closed(number))
        report()
    }

    private func perform(_ actions: [PoolState.Action]) {
        for action in actions {
            switch action {
            case .open(let number): open(number)
            case .lease(let number, let caller):
                guard let connection = connections[number], let continuation = callers.removeValue(forKey: caller)
                else { continue }
                continuation.resume(returning: connection)
            case .fail(let caller, let refusal):
                callers.removeValue(forKey: caller)?.resume(throwing: error(refusal))
            case .close(let number):
                guard let connection = connections.removeValue(forKey: number) else { continue }
                numbers[ObjectIdentifier(connection)] = nil
                connection.onBroken = nil
                connection.close()
            }
        }
        report()
    }

    private func error(_ refusal: PoolState.Refusal) -> PostgreSQLError {
        switch refusal {
        case .tooManyWaiting, .timedOut:
            telemetry.poolTimeouts.increment()
            return .poolTimeout
        case .cannotConnect: return lastError
        case .drained: return .shutDown
        }
    }

    private func open(_ number: PoolState.Connection) {
        loop.spawn { [self] in
            do {
                let connection = try await PostgreSQLConnection.open(
                    configuration, resolver: resolver, applicationName: applicationName)
                connections[number] = connection
                numbers[ObjectIdentifier(connection)] = number
                connection.onBroken = { [weak self] in self?.forget(number) }
                perform(state.opened(number, now: loop.nowMilliseconds))
            } catch {
                telemetry.connectionFailures.increment()
                lastError = (error as? PostgreSQLError) ?? .connection("\(error)")
                perform(state.failedToOpen(number))
            }
        }
    }

    private func startTicking() {
        guard ticker == nil else { return }
        ticker = loop.schedule(afterMilliseconds: Self.tickMilliseconds, repeating: Self.tickMilliseconds) {
            [weak self] in self?.tick()
        }
    }

    private func tick() {
        perform(state.tick(now: loop.nowMilliseconds))
        if state.isEmpty {
            ticker?.cancel()
            ticker = nil
        }
    }

    private var reported = (idle: 0, used: 0, waiting: 0)

    /// Gauges are shared by all loops: each adds the difference to what it told last.
    private func report() {
        let now = (idle: state.idleCount, used: state.leasedCount, waiting: state.waitingCount)
        if now.idle != reported.idle { telemetry.idle.add(Double(now.idle - reported.idle)) }
        if now.used != reported.used { telemetry.used.add(Double(now.used - reported.used)) }
        if now.waiting != reported.waiting { telemetry.waiting.add(Double(now.waiting - reported.waiting)) }
        reported = now
    }

    func drain() {
        ticker?.cancel()
        ticker = nil
        perform(state.drain())
    }
}
