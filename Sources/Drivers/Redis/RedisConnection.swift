internal import CHiredis
internal import EventLoop
internal import Telemetry

/// One pipelined connection to Redis on one event loop: commands go out in order, replies come back in order.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; hiredis calls back on it too.
final class RedisConnection: @unchecked Sendable {
    enum State {
        case disconnected
        case connecting
        case connected
        case stopped
    }

    let loop: EventLoop
    let configuration: RedisClient.Configuration
    let resolver: NameResolver
    let onConnectedChange: (Bool) -> Void
    var state = State.disconnected
    var context: UnsafeMutablePointer<redisAsyncContext>?
    var watcher: FileDescriptorWatcher?
    var events: FileDescriptorWatcher.Events = []
    var connectTimer: LoopTimer?
    /// Failed attempts to connect in a row.
    var attempt = 0
    /// Callers that wait for the connection.
    var waiters: [CheckedContinuation<Void, any Error>] = []
    private var pending: [ObjectIdentifier: PendingCommand] = [:]
    /// Commands that hiredis holds: also those whose callers have gone.
    private var inFlight = 0
    /// Since when (loop time) a reply is owed and nothing was heard.
    private var silentSinceMilliseconds: UInt64 = 0
    private var sweeper: LoopTimer?

    private static let sweepMilliseconds: UInt64 = 50

    init(loop: EventLoop, configuration: RedisClient.Configuration, onConnectedChange: @escaping (Bool) -> Void) {
        self.loop = loop
        self.configuration = configuration
        self.onConnectedChange = onConnectedChange
        resolver = NameResolver(loop: loop)
    }

    // MARK: Commands

    /// Sends one command and waits for its reply, no longer than the deadline of the request allows.
    func send(_ arguments: [String]) async throws -> RedisValue {
        loop.preconditionInLoop()
        try await waitUntilConnected()
        guard inFlight < configuration.maxPending else { throw RedisError.tooManyWaiting }
        guard let left = TelemetryContext.millisecondsLeft(atMost: configuration.commandTimeoutMilliseconds) else {
            throw RedisError.timedOut
        }
        return try await withCheckedThrowingContinuation { continuation in
            issue(arguments, PendingCommand(owner: self, deadline: deadline(left)) { continuation.resume(with: $0) })
        }
    }

    func deadline(_ milliseconds: Int) -> UInt64 { loop.nowMilliseconds + UInt64(milliseconds) }

    func issue(_ arguments: [String], _ command: PendingCommand) {
        guard let context else { return command.finish(.failure(RedisError.connection("the connection broke"))) }
        var bytes: [CChar] = []
        var lengths: [Int] = []
        for argument in arguments {
            bytes.append(contentsOf: argument.utf8.lazy.map { CChar(bitPattern: $0) })
            lengths.append(argument.utf8.count)
        }
        // An empty buffer has no address to point into.
        bytes.append(0)
        // Released by the callback, which hiredis calls exactly once for every command that it accepted.
        let data = Unmanaged.passRetained(command).toOpaque()
        let result = bytes.withUnsafeBufferPointer { buffer -> Int32 in
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = lengths.map { length in
                defer { offset += length }
                return buffer.baseAddress.map { $0 + offset }
            }
            return redisAsyncCommandArgv(context, onReply, data, Int32(arguments.count), &pointers, lengths)
        }
        guard result == REDIS_OK else {
            Unmanaged<PendingCommand>.fromOpaque(data).release()
            return command.finish(.failure(RedisError.connection("the connection broke")))
        }
        if inFlight == 0 { silentSinceMilliseconds = loop.nowMilliseconds }
        inFlight += 1
        pending[ObjectIdentifier(command)] = command
        startSweeping()
    }

    /// hiredis has let go of a command, with or without a reply.
    fileprivate func released(_ command: PendingCommand) {
        inFlight -= 1
        silentSinceMilliseconds = loop.nowMilliseconds
    }

    fileprivate func settled(_ command: PendingCommand) { pending[ObjectIdentifier(command)] = nil }

    // MARK: Time

    private func startSweeping() {
        guard sweeper == nil else { return }
        sweeper = loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
            [weak self] in self?.sweep()
        }
    }

    private func sweep() {
        let now = loop.nowMilliseconds
        for command in Array(pending.values) where command.deadline <= now {
            // Its reply, should it come, finds nobody.
            command.finish(.failure(.timedOut))
        }
        if inFlight == 0 { return stopSweeping() }
        // A server that says nothing for so long will not: what hiredis holds for it would only grow.
        if let context, now - silentSinceMilliseconds > UInt64(configuration.commandTimeoutMilliseconds) {
            redisAsyncFree(context)
        }
    }

    func stopSweeping() {
        sweeper?.cancel()
        sweeper = nil
    }
}

/// A command whose reply has not come.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class PendingCommand: @unchecked Sendable {
    let deadline: UInt64
    fileprivate weak var owner: RedisConnection?
    private var completion: ((Result<RedisValue, RedisError>) -> Void)?

    init(owner: RedisConnection, deadline: UInt64, completion: @escaping (Result<RedisValue, RedisError>) -> Void) {
        self.owner = owner
        self.deadline = deadline
        self.completion = completion
    }

    func finish(_ result: Result<RedisValue, RedisError>) {
        owner?.settled(self)
        guard let completion else { return }
        self.completion = nil
        completion(result)
    }
}

private func onReply(
    _ context: UnsafeMutablePointer<redisAsyncContext>?, _ reply: UnsafeMutableRawPointer?,
    _ data: UnsafeMutableRawPointer?
) {
    guard let data else { return }
    let command = Unmanaged<PendingCommand>.fromOpaque(data).takeRetainedValue()
    command.owner?.released(command)
    guard let reply else { return command.finish(.failure(.connection("the connection broke"))) }
    do throws(RedisError) {
        command.finish(.success(try RedisValue.copy(reply.assumingMemoryBound(to: redisReply.self))))
    } catch {
        command.finish(.failure(error))
    }
}
