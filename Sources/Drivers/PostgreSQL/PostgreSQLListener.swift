internal import EventLoop
internal import Synchronization

/// Listens on a channel with a connection of its own, which is opened again when it breaks.
package final class PostgreSQLListener: Sendable {
    private let configuration: PostgreSQLClient.Configuration
    private let channel: String
    private let loop: EventLoop
    private let applicationName: String
    private let handler: @Sendable (String) -> Void
    private let task = Mutex<Task<Void, Never>?>(nil)

    private static let maxPauseMilliseconds: UInt64 = 5_000
    private static let pingMilliseconds: UInt64 = 30_000

    init(
        configuration: PostgreSQLClient.Configuration, channel: String, loop: EventLoop, applicationName: String,
        handler: @escaping @Sendable (String) -> Void
    ) {
        self.configuration = configuration
        self.channel = channel
        self.loop = loop
        self.applicationName = applicationName
        self.handler = handler
    }

    func start() {
        let running = loop.spawn { [weak self] in
            var pause: UInt64 = 100
            var isFirst = true
            while !Task.isCancelled, let self {
                do {
                    try await self.listenOnce(isFirst: isFirst) { pause = 100 }
                } catch {}
                isFirst = false
                do { try await Task.sleep(nanoseconds: pause * 1_000_000) } catch { return }
                pause = min(pause * 2, Self.maxPauseMilliseconds)
            }
        }
        task.withLock { $0 = running }
    }

    /// Returns when the connection broke.
    private func listenOnce(isFirst: Bool, connected: () -> Void) async throws {
        let connection = try await PostgreSQLConnection.open(
            configuration, resolver: NameResolver(loop: loop), applicationName: applicationName + " listener")
        defer { connection.close() }
        let signal = BrokenSignal()
        connection.onNotification = { [handler] _, payload in handler(payload) }
        connection.onBroken = { signal.raise() }
        try await connection.script(
            "LISTEN \"\(channel.replacingQuotes)\"", timeoutMilliseconds: configuration.statementTimeoutMilliseconds)
        connected()
        if !isFirst { handler("") }
        // A ping finds a connection that died without a word.
        while !signal.isRaised {
            try await Task.sleep(nanoseconds: Self.pingMilliseconds * 1_000_000, unless: signal)
            if signal.isRaised { return }
            try await connection.script("", timeoutMilliseconds: configuration.statementTimeoutMilliseconds)
        }
    }

    /// Stops listening for good.
    package func cancel() { task.withLock { $0?.cancel() } }
}

/// Raised once when a connection broke; ends a sleep early.
///
/// Safety (`@unchecked Sendable`): touched on one loop's thread only.
private final class BrokenSignal: @unchecked Sendable {
    private(set) var isRaised = false
    private var sleeper: Task<Void, any Error>?

    func raise() {
        isRaised = true
        sleeper?.cancel()
    }

    func guarding(_ task: Task<Void, any Error>) { sleeper = task }
}

extension Task where Success == Never, Failure == Never {
    fileprivate static func sleep(nanoseconds: UInt64, unless signal: BrokenSignal) async throws {
        let sleeper = Task<Void, any Error> { try await Task<Never, Never>.sleep(nanoseconds: nanoseconds) }
        signal.guarding(sleeper)
        await withTaskCancellationHandler {
            _ = try? await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
        try Task<Never, Never>.checkCancellation()
    }
}

extension String {
    fileprivate var replacingQuotes: String { split(separator: "\"").joined() }
}
