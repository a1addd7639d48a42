internal import CHiredis
internal import EventLoop

/// Opening the connection, greeting the server, and opening it again with growing pauses when it broke.
extension RedisConnection {
    private static var maxPauseMilliseconds: UInt64 { 5_000 }

    func waitUntilConnected() async throws {
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
        state = .connecting
        connectTimer = loop.schedule(afterMilliseconds: UInt64(configuration.connectTimeoutMilliseconds)) {
            [weak self] in self?.giveUpConnecting()
        }
        loop.spawn { [self] in
            do {
                let address = try RedisAddress(url: configuration.url)
                let ip = try await resolver.resolve(address.host, port: address.port).first?.ip
                // The time may have been up meanwhile, or the client stopped.
                guard case .connecting = state, context == nil, let ip else { return }
                try open(ip, address)
            } catch {
                guard case .connecting = state, context == nil else { return }
                failWaiters((error as? RedisError) ?? .connection("\(error)"))
                lost()
            }
        }
    }

    private func open(_ ip: String, _ address: RedisAddress) throws(RedisError) {
        guard let context = redisAsyncConnect(ip, Int32(address.port)) else { throw .connection("out of memory") }
        if context.pointee.err != 0 {
            let message = Self.message(context)
            redisAsyncFree(context)
            throw .connection(message)
        }
        self.context = context
        let me = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.data = me
        context.pointee.ev.data = me
        context.pointee.ev.addRead = addRead
        context.pointee.ev.delRead = removeRead
        context.pointee.ev.addWrite = addWrite
        context.pointee.ev.delWrite = removeWrite
        context.pointee.ev.cleanup = cleanUp
        watcher = FileDescriptorWatcher(loop: loop, descriptor: context.pointee.c.fd) { [weak self] in
            self?.ready($0)
        }
        redisAsyncSetConnectCallback(context, onConnect)
        greet(address)
    }

    /// Authenticates and selects the database; the last answer opens the connection for others.
    private func greet(_ address: RedisAddress) {
        let deadline = deadline(configuration.commandTimeoutMilliseconds)
        if let password = address.password {
            let words = ["AUTH"] + (address.username.map { [$0] } ?? []) + [password]
            issue(words, PendingCommand(owner: self, deadline: deadline) { [weak self] in self?.check($0) })
        }
        let last = address.database == 0 ? ["PING"] : ["SELECT", "\(address.database)"]
        issue(
            last,
            PendingCommand(owner: self, deadline: deadline) { [weak self] result in
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
        guard case .connecting = state else { return }
        failWaiters(.connection("no answer after \(configuration.connectTimeoutMilliseconds) ms"))
        if let context { redisAsyncFree(context) } else { lost() }
    }

    private func failWaiters(_ error: RedisError) {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume(throwing: error) }
    }

    fileprivate func refused() {
        // hiredis frees the context after this call, and says so through `cleanUp`.
        failWaiters(.connection(context.map(Self.message) ?? "refused"))
    }

    /// The context, if there was one, is about to be freed.
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
        connectTimer?.cancel()
        connectTimer = nil
        failWaiters(.shutDown)
        stopSweeping()
        if let context { redisAsyncFree(context) }
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
    if status != REDIS_OK { connection(context?.pointee.data)?.refused() }
}
