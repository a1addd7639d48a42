internal import EventLoop
internal import HTTPCodec

/// The client's part on one event loop: idle connections by host, who waits for one, and time-outs.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class ClientLoop: @unchecked Sendable {
    let loop: EventLoop
    let configuration: HTTPClient.Configuration
    let limits: HTTPLimits
    /// Where a request is put together before it leaves in one write.
    var output: [UInt8] = []

    private let resolver: NameResolver
    private var hosts: [HTTPHost: Host] = [:]
    private var active: [ObjectIdentifier: ClientConnection] = [:]
    private var sweeper: LoopTimer?
    private var isShutDown = false

    private static let sweepMilliseconds: UInt64 = 20

    private struct Host {
        /// The most recently used last.
        var idle: [ClientConnection] = []
        var open = 0
        var waiting: [CheckedContinuation<Void, any Error>] = []
    }

    init(loop: EventLoop, configuration: HTTPClient.Configuration, resolver: NameResolver) {
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        var limits = HTTPLimits()
        limits.maxHeadBytes = 64 * 1024
        limits.maxBodyBytes = configuration.maxResponseBytes
        self.limits = limits
    }

    // MARK: Requests

    func send(_ request: HTTPRequest, to host: HTTPHost, timeoutMilliseconds: Int) async throws -> HTTPResponse {
        loop.preconditionInLoop()
        let deadline = loop.nowMilliseconds + UInt64(timeoutMilliseconds)
        let (connection, isReused) = try await acquire(host, deadline: deadline)
        do {
            return try await connection.exchange(request, deadline: deadline)
        } catch HTTPClientError.disconnected where isReused && connection.isUntouched && Self.mayResend(request) {
            // The peer had closed the idle connection before it saw anything of the request (RFC 9112, 9.3.1).
            let (fresh, _) = try await acquire(host, deadline: deadline, fresh: true)
            return try await fresh.exchange(request, deadline: deadline)
        }
    }

    private static func mayResend(_ request: HTTPRequest) -> Bool {
        if case .stream = request.body { return false }
        switch request.method {
        case .get, .head, .put, .delete, .options, .trace: return true
        default: return request.headers.contains("idempotency-key")
        }
    }

    // MARK: The pool

    private func acquire(
        _ name: HTTPHost, deadline: UInt64, fresh: Bool = false
    ) async throws -> (ClientConnection, isReused: Bool) {
        while true {
            guard !isShutDown else { throw HTTPClientError.shutDown }
            if fresh {
                // What is idle was closed by the peer together with the one that failed.
                closeIdle(of: name)
            } else if let connection = hosts[name]?.idle.popLast() {
                if connection.isOpen { return (connection, true) }
                continue
            }
            if hosts[name, default: Host()].open < configuration.maxConnectionsPerHostAndLoop { break }
            guard hosts[name, default: Host()].waiting.count < configuration.maxWaitingPerHostAndLoop else {
                throw HTTPClientError.tooManyWaiting
            }
            guard loop.nowMilliseconds < deadline else { throw HTTPClientError.timedOut }
            try await withCheckedThrowingContinuation { hosts[name, default: Host()].waiting.append($0) }
        }
        hosts[name, default: Host()].open += 1
        do {
            let address = try await resolver.address(of: name.name)
            let left = deadline > loop.nowMilliseconds ? Int(deadline - loop.nowMilliseconds) : 0
            let tcp = try await TCPConnection.connect(
                address: address, port: name.port, loop: loop,
                timeoutMilliseconds: max(1, min(configuration.connectTimeoutMilliseconds, left)))
            return (ClientConnection(tcp: tcp, host: name, owner: self), false)
        } catch let error as TCPError {
            closed(name)
            throw HTTPClientError.connectFailed(error.description)
        } catch {
            closed(name)
            throw error
        }
    }

    private func closeIdle(of name: HTTPHost) {
        let idle = hosts[name]?.idle ?? []
        hosts[name]?.idle = []
        for connection in idle { connection.close() }
    }

    /// A connection became free.
    func release(_ connection: ClientConnection) {
        guard !isShutDown, connection.isOpen else { return connection.close() }
        connection.idleSince = loop.nowMilliseconds
        hosts[connection.host, default: Host()].idle.append(connection)
        wakeOne(connection.host)
        startSweeping()
    }

    /// A connection is gone.
    func closed(_ name: HTTPHost) {
        hosts[name]?.open -= 1
        wakeOne(name)
        if let host = hosts[name], host.open == 0, host.waiting.isEmpty { hosts[name] = nil }
    }

    func forget(_ connection: ClientConnection) {
        hosts[connection.host]?.idle.removeAll { $0 === connection }
        closed(connection.host)
    }

    private func wakeOne(_ name: HTTPHost) {
        guard hosts[name]?.waiting.isEmpty == false else { return }
        hosts[name]?.waiting.removeFirst().resume()
    }

    // MARK: Time

    func activate(_ connection: ClientConnection) {
        active[ObjectIdentifier(connection)] = connection
        startSweeping()
    }

    func deactivate(_ connection: ClientConnection) { active[ObjectIdentifier(connection)] = nil }

    private func startSweeping() {
        guard sweeper == nil else { return }
        sweeper = loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
            [weak self] in self?.sweep()
        }
    }

    private func sweep() {
        let now = loop.nowMilliseconds
        for connection in Array(active.values) where now >= connection.deadline { connection.timeOut() }
        let oldest = UInt64(configuration.idleTimeoutSeconds) * 1000
        var isIdle = active.isEmpty
        for (_, host) in hosts {
            for connection in host.idle where now - connection.idleSince >= oldest { connection.close() }
            if !host.idle.isEmpty || !host.waiting.isEmpty { isIdle = false }
        }
        if isIdle {
            sweeper?.cancel()
            sweeper = nil
        }
    }

    func shutDown() {
        isShutDown = true
        for (_, host) in hosts {
            for connection in host.idle { connection.close() }
            for waiter in host.waiting { waiter.resume(throwing: HTTPClientError.shutDown) }
        }
        for connection in Array(active.values) { connection.close() }
        sweeper?.cancel()
        sweeper = nil
    }
}
