internal import EventLoop
internal import TLS
internal import Telemetry

/// The connections of one loop to one peer: kept alive, last in first out, bounded; who finds none waits its turn.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class HTTPClientPool: @unchecked Sendable {
    let endpoint: HTTPEndpoint
    /// Keeps the client's part on this loop alive while connections are; `shutdown` of the shard breaks the cycle.
    let shard: HTTPClientShard
    private var idle: [HTTPClientConnection] = []
    /// Connections that are open or being opened.
    private var count = 0
    private var waiters: [Waiter] = []
    private var knownSeries: HTTPClientSeries?

    /// Addresses of one host that are tried.
    private static let maxAddresses = 3

    /// Safety (`@unchecked Sendable`): touched on the loop's thread only.
    private final class Waiter: @unchecked Sendable {
        var continuation: CheckedContinuation<HTTPClientConnection?, any Error>?
        var timer: LoopTimer?

        func resume(_ result: Result<HTTPClientConnection?, any Error>) {
            timer?.cancel()
            timer = nil
            let continuation = self.continuation
            self.continuation = nil
            continuation?.resume(with: result)
        }
    }

    init(endpoint: HTTPEndpoint, shard: HTTPClientShard) {
        self.endpoint = endpoint
        self.shard = shard
    }

    var hasIdle: Bool { !idle.isEmpty }
    var isUnused: Bool { count == 0 && waiters.isEmpty }

    func series(_ telemetry: Telemetry) -> HTTPClientSeries {
        if let knownSeries { return knownSeries }
        let series = HTTPClientSeries(telemetry, endpoint)
        knownSeries = series
        return series
    }

    // MARK: Taking

    /// A connection for one request.
    /// - Parameters:
    ///   - deadline: monotonic nanoseconds. - isFresh: no kept connection will do.
    ///   - isProbed: a kept connection is looked at before it is used, because its request cannot be repeated.
    func connection(until deadline: UInt64, isFresh: Bool, isProbed: Bool) async throws -> HTTPClientConnection {
        if !isFresh, let connection = takeIdle(isProbed: isProbed) { return connection }
        if count < shard.configuration.maxConnectionsPerHostAndLoop {
            count += 1
        } else if let connection = try await wait(until: deadline) {
            return connection
        }
        return try await connect(until: deadline)
    }

    /// A kept connection, or nil.
    func takeIdle(isProbed: Bool) -> HTTPClientConnection? {
        while let connection = idle.popLast() {
            if isProbed, connection.isProbablyDead {
                connection.close()
                continue
            }
            connection.isReused = true
            return connection
        }
        return nil
    }

    /// - Returns: a connection, or nil: there is room, and it is counted already.
    private func wait(until deadline: UInt64) async throws -> HTTPClientConnection? {
        guard waiters.count < shard.configuration.maxWaitingPerHostAndLoop else { throw HTTPClientError.tooManyWaiting }
        try Task.checkCancellation()
        let waiter = Waiter()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiter.continuation = continuation
                waiter.timer = shard.loop.schedule(afterMilliseconds: Deadline.millisecondsLeft(deadline)) {
                    [self] in giveUp(waiter, HTTPClientError.timedOut)
                }
                waiters.append(waiter)
            }
        } onCancel: {
            shard.loop.perform { [self] in giveUp(waiter, CancellationError()) }
        }
    }

    private func giveUp(_ waiter: Waiter, _ error: any Error) {
        guard let index = waiters.firstIndex(where: { $0 === waiter }) else { return }
        waiters.remove(at: index)
        waiter.resume(.failure(error))
    }

    private func connect(until deadline: UInt64) async throws -> HTTPClientConnection {
        do {
            let limit = min(
                deadline,
                TelemetryClock.system.monotonicNanoseconds()
                    &+ UInt64(max(0, shard.configuration.connectTimeoutMilliseconds)) &* 1_000_000)
            let addresses = try await shard.resolver.resolve(endpoint.host, port: endpoint.port)
            let tcp = try await connect(addresses, until: limit)
            try await encrypt(tcp, until: limit)
            return HTTPClientConnection(tcp: tcp, pool: self)
        } catch {
            slotIsFree()
            if let error = error as? TLSError { throw HTTPClientError.tlsFailed(error) }
            guard let error = error as? TCPError else { throw error }
            if Deadline.millisecondsLeft(deadline) == 0 { throw HTTPClientError.timedOut }
            throw HTTPClientError.connectFailed(error.description)
        }
    }

    private func connect(_ addresses: [SocketAddress], until limit: UInt64) async throws -> TCPConnection {
        var addresses = addresses.prefix(Self.maxAddresses)
        while let address = addresses.popFirst() {
            do {
                return try await TCPConnection.connect(
                    to: address, on: shard.loop, timeoutMilliseconds: Deadline.millisecondsLeft(limit))
            } catch let error as TCPError {
                guard !addresses.isEmpty, Deadline.millisecondsLeft(limit) > 0 else {
                    shard.resolver.forget(endpoint.host)
                    throw error
                }
            }
        }
        throw HTTPClientError.connectFailed("\(endpoint.host) has no address")
    }

    private func encrypt(_ tcp: TCPConnection, until limit: UInt64) async throws {
        guard endpoint.isSecure, let tls = shard.configuration.tls else { return }
        try await tcp.startTLS(
            tls, host: endpoint.host, timeoutMilliseconds: Deadline.millisecondsLeft(limit))
    }

    // MARK: Giving back

    /// A connection whose response is complete; the next in line gets it.
    func release(_ connection: HTTPClientConnection) {
        guard !shard.isShutDown else { return connection.close() }
        if !waiters.isEmpty {
            connection.isReused = true
            return waiters.removeFirst().resume(.success(connection))
        }
        connection.idleSinceMilliseconds = shard.loop.nowMilliseconds
        idle.append(connection)
        shard.connectionIdles()
    }

    /// A connection is gone; called once for each.
    func lost(_ connection: HTTPClientConnection) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
        slotIsFree()
    }

    private func slotIsFree() {
        guard !waiters.isEmpty, !shard.isShutDown else {
            count -= 1
            return
        }
        waiters.removeFirst().resume(.success(nil))
    }

    /// Closes what idles, all of it or what has not been used since a moment of the loop's clock.
    func closeIdle(since limit: UInt64 = .max) {
        let old = idle.prefix { $0.idleSinceMilliseconds <= limit }
        idle.removeFirst(old.count)
        for connection in old { connection.close() }
    }

    func shutdown() {
        closeIdle()
        let left = waiters
        waiters = []
        for waiter in left { waiter.resume(.failure(HTTPClientError.shutDown)) }
    }
}
