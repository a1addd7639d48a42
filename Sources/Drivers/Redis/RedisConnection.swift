internal import CHiredis
internal import EventLoop
internal import Glibc

/// One pipelined connection to Redis on one event loop, opened again when it breaks.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; hiredis calls back on it too.
final class RedisConnection: @unchecked Sendable {
    private enum State {
        case disconnected
        case connecting
        case connected
        case stopped
    }

    let loop: EventLoop
    private let configuration: RedisClient.Configuration
    private let onConnectedChange: (Bool) -> Void
    private var state = State.disconnected
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var watcher: FileDescriptorWatcher?
    private var events: FileDescriptorWatcher.Events = []
    private var waiters: [CheckedContinuation<Void, any Error>] = []
    private var pending: [ObjectIdentifier: PendingCommand] = [:]
    private var sweeper: LoopTimer?
    private var attempt = 0
    private var connectTimer: LoopTimer?

    private static let sweepMilliseconds: UInt64 = 50
    private static let maxPauseMilliseconds: UInt64 = 5_000

    init(loop: EventLoop, configuration: RedisClient.Configuration, onConnectedChange: @escaping (Bool) -> Void) {
        self.loop = loop
        self.configuration = configuration
        self.onConnectedChange = onConnectedChange
    }

    // MARK: Commands

    /// Sends one command and waits for its reply.
    func send(_ arguments: [String]) async throws -> RedisValue {
        loop.preconditionInLoop()
        try await waitUntilConnected()
        guard pending.count < configuration.maxPending else { throw RedisError.tooManyWaiting }
        return try await withCheckedThrowingContinuation { continuation in
            issue(arguments, PendingCommand(owner: self, deadline: deadline()) { continuation.resume(with: $0) })
        }
    }

    private func deadline() -> UInt64 { loop.nowMilliseconds + UInt64(configuration.commandTimeoutMilliseconds) }

    private func issue(_ arguments: [String], _ command: PendingCommand) {
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
        pending[ObjectIdentifier(command)] = command
        startSweeping()
    }

    fileprivate func settled(_ command: PendingCommand) { pending[ObjectIdentifier(command)] = nil }

    // MARK: Connecting

    private func waitUntilConnected() async throws {
        switch state {
        case .connected: return
        case .stopped: throw RedisError.shutDown
        case .disconnected: connect()
        case .connecting: break
        }
        guard case .connecting = state else { throw RedisError.connection("not connected") }
        guard waiters.count < configuration.maxPending else { throw RedisError.tooManyWaiting }
        try await withCheckedThrowingContinuation { waiters.append($0) }
    }

    private func connect() {
        do throws(RedisError) {
            let address = try RedisAddress(url: configuration.url)
            guard let context = redisAsyncConnect(address.host, Int32(address.port)) else {
                throw .connection("out of memory")
            }
            if context.pointee.err != 0 {
                let message = Self.message(context)
                redisAsyncFree(context)
                throw .connection(message)
            }
            state = .connecting
            self.context = context
            let me = Unmanaged.passUnretained(self).toOpaque()
            context.pointee.data = me
            context.pointee.ev.data = me
            context.pointee.ev.addRead = addRead
            context.pointee.ev.delRead = removeRead
            context.pointee.ev.addWrite = addWrite
            context.pointee.ev.delWrite = removeWrite
            context.pointee.ev.cleanup = cleanUp
            redisAsyncSetDisconnectCallback(context, onDisconnect)
            watcher = FileDescriptorWatcher(loop: loop, descriptor: context.pointee.c.fd) { [weak self] in
                self?.ready($0)
            }
            redisAsyncSetConnectCallback(context, onConnect)
            connectTimer = loop.schedule(afterMilliseconds: UInt64(configuration.connectTimeoutMilliseconds)) {
                [weak self] in self?.giveUpConnecting()
            }
            greet(address)
        } catch {
            failWaiters(error)
        }
    }

    /// Authenticates and selects the database; the last answer opens the connection for others.
    private func greet(_ address: RedisAddress) {
        if let password = address.password {
            let words = ["AUTH"] + (address.username.map { [$0] } ?? []) + [password]
            issue(words, PendingCommand(owner: self, deadline: deadline()) { [weak self] in self?.check($0) })
        }
        let last = address.database == 0 ? ["PING"] : ["SELECT", "\(address.database)"]
        issue(
            last,
            PendingCommand(owner: self, deadline: deadline()) { [weak self] result in
                self?.check(result)
                if case .success = result { self?.opened() }
            })
    }

    private func check(_ result: Result<RedisValue, RedisError>) {
        guard case .failure(let error) = result else { return }
        failWaiters(error)
        if let context { redisAsyncFree(context) }
    }

    private func opened() {
        guard case .connecting = state else { return }
        connectTimer?.cancel()
        connectTimer = nil
        state = .connected
        attempt = 0
        onConnectedChange(true)
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume() }
    }

    private func giveUpConnecting() {
        guard case .connecting = state, let context else { return }
        failWaiters(.connection("no answer after \(configuration.connectTimeoutMilliseconds) ms"))
        redisAsyncFree(context)
    }

    private func failWaiters(_ error: RedisError) {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume(throwing: error) }
    }

    fileprivate func connected(_ status: Int32) {
        guard status != REDIS_OK else { return }
        let message = context.map(Self.message) ?? "refused"
        failWaiters(.connection(message))
        // hiredis frees the context after this call.
        lost()
    }

    /// The context is about to be freed.
    fileprivate func lost() {
        watcher?.close()
        watcher = nil
        events = []
        context = nil
        connectTimer?.cancel()
        connectTimer = nil
        if case .stopped = state { return }
        if case .connected = state { onConnectedChange(false) }
        state = .disconnected
        failWaiters(.connection("the connection broke"))
        reconnectLater()
    }

    private func reconnectLater() {
        attempt += 1
        let ceiling = min(Self.maxPauseMilliseconds, 50 << UInt64(min(attempt, 10)))
        loop.schedule(afterMilliseconds: UInt64.random(in: ceiling / 2...ceiling)) { [weak self] in
            guard let self, case .disconnected = state else { return }
            connect()
        }
    }

    private static func message(_ context: UnsafeMutablePointer<redisAsyncContext>) -> String {
        context.pointee.errstr.map { String(cString: $0) } ?? "unknown"
    }

    func stop() {
        let wasConnected = if case .connected = state { true } else { false }
        state = .stopped
        if wasConnected { onConnectedChange(false) }
        failWaiters(.shutDown)
        sweeper?.cancel()
        sweeper = nil
        if let context { redisAsyncFree(context) }
    }

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
        if pending.isEmpty {
            sweeper?.cancel()
            sweeper = nil
        }
    }

    // MARK: Readiness

    private func ready(_ events: FileDescriptorWatcher.Events) {
        if events.contains(.readable), let context { redisAsyncHandleRead(context) }
        if events.contains(.writable), let context { redisAsyncHandleWrite(context) }
    }

    fileprivate func change(_ event: FileDescriptorWatcher.Events, wanted: Bool) {
        if wanted { events.insert(event) } else { events.remove(event) }
        watcher?.watch(events)
    }
}

/// A command whose reply has not come.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class PendingCommand: @unchecked Sendable {
    let deadline: UInt64
    private weak var owner: RedisConnection?
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

// MARK: - Callbacks of hiredis

private func connection(_ data: UnsafeMutableRawPointer?) -> RedisConnection? {
    data.map { Unmanaged<RedisConnection>.fromOpaque($0).takeUnretainedValue() }
}

private func addRead(_ data: UnsafeMutableRawPointer?) { connection(data)?.change(.readable, wanted: true) }
private func removeRead(_ data: UnsafeMutableRawPointer?) { connection(data)?.change(.readable, wanted: false) }
private func addWrite(_ data: UnsafeMutableRawPointer?) { connection(data)?.change(.writable, wanted: true) }
private func removeWrite(_ data: UnsafeMutableRawPointer?) { connection(data)?.change(.writable, wanted: false) }
private func cleanUp(_ data: UnsafeMutableRawPointer?) { connection(data)?.lost() }

private func onConnect(_ context: UnsafePointer<redisAsyncContext>?, _ status: Int32) {
    connection(context?.pointee.data)?.connected(status)
}

private func onDisconnect(_ context: UnsafePointer<redisAsyncContext>?, _ status: Int32) {}

private func onReply(
    _ context: UnsafeMutablePointer<redisAsyncContext>?, _ reply: UnsafeMutableRawPointer?,
    _ data: UnsafeMutableRawPointer?
) {
    guard let data else { return }
    let command = Unmanaged<PendingCommand>.fromOpaque(data).takeRetainedValue()
    guard let reply else { return command.finish(.failure(.connection("the connection broke"))) }
    do throws(RedisError) {
        command.finish(.success(try RedisValue.copy(reply.assumingMemoryBound(to: redisReply.self))))
    } catch {
        command.finish(.failure(error))
    }
}
