internal import EventLoop
internal import HTTPCodec
internal import Telemetry

/// What a client has on one loop: a pool for each peer, and the buffer that requests are written into.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class HTTPClientShard: @unchecked Sendable {
    let loop: EventLoop
    let configuration: HTTPClient.Configuration
    let limits: HTTPLimits
    let resolver: NameResolver
    private(set) var isShutDown = false

    private let telemetry: Telemetry?
    private var poolsByURL: [String: HTTPClientPool] = [:]
    private var pools: [HTTPEndpoint: HTTPClientPool] = [:]
    private var sweeper: LoopTimer?
    private var spareOutput: [UInt8] = []
    private var spareFields = HTTPFields()
    /// Most callers ask the same peer again and again.
    private var lastPool: (url: String, pool: HTTPClientPool)?

    private static let sweepMilliseconds: UInt64 = 1_000
    /// Peers that are remembered; their names come from our configuration.
    private static let maxPeers = 1_024
    private static let keptOutputBytes = 64 * 1024

    init(loop: EventLoop, configuration: HTTPClient.Configuration, telemetry: Telemetry?) {
        self.loop = loop
        self.configuration = configuration
        self.telemetry = telemetry
        resolver = NameResolver(loop: loop)
        var limits = HTTPLimits()
        limits.maxHeadBytes = configuration.maxResponseHeadBytes
        limits.maxBodyBytes = configuration.maxResponseBytes
        self.limits = limits
    }

    // MARK: Sending

    func send(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int?, urlTemplate: String?, resendCount: Int
    ) async throws -> HTTPResponse {
        guard !isShutDown else { throw HTTPClientError.shutDown }
        let context = TelemetryContext.current
        return try await send(
            request, to: try pool(url), in: context, until: deadline(timeoutMilliseconds, context), urlTemplate,
            before: resendCount)
    }

    /// - Parameters: before: how often the caller has sent the request before. - resendCount: 1 when we have, on a
    ///   connection that was dead.
    private func send(
        _ request: HTTPRequest, to pool: HTTPClientPool, in context: TelemetryContext, until deadline: UInt64,
        _ urlTemplate: String?, before: Int = 0, resendCount: Int = 0
    ) async throws -> HTTPResponse {
        var resendCount = resendCount
        while true {
            let observation = observation(of: request, pool, context, urlTemplate, before + resendCount)
            do {
                let connection = try await pool.connection(
                    until: deadline, isFresh: resendCount > 0, isProbed: !request.method.isIdempotent)
                return try await connection.send(request, in: context, until: deadline, observation)
            } catch is StaleConnection {
                observation?.failed(HTTPClientError.disconnected)
                guard resendCount == 0, request.canBeResent else { throw HTTPClientError.disconnected }
                resendCount += 1
                pool.closeIdle()
            } catch {
                observation?.failed(error)
                throw error
            }
        }
    }

    /// Sends a request on a kept connection, and tells `completion` of the head of its response, or of the failure.
    /// - Returns: nil when that cannot be done at once: then nothing has happened, and `send` does it.
    func start(
        _ request: HTTPRequest, to url: String, timeoutMilliseconds: Int?, urlTemplate: String?,
        _ completion: @escaping @Sendable (Result<HTTPResponse, any Error>) -> Void
    ) -> HTTPClientCall? {
        if case .stream = request.body { return nil }
        guard !isShutDown, let pool = try? pool(url),
            let connection = pool.takeIdle(isProbed: !request.method.isIdempotent)
        else { return nil }
        let context = TelemetryContext.current
        let deadline = deadline(timeoutMilliseconds, context)
        let observation = observation(of: request, pool, context, urlTemplate, 0)
        let exchange = HTTPClientExchange(method: request.method, observation: observation)
        let call = HTTPClientCall(connection, exchange)
        exchange.receiver = .callback { [self] result in
            guard case .failure(let error) = result else { return completion(result) }
            guard error is StaleConnection else {
                observation?.failed(error)
                return completion(result)
            }
            observation?.failed(HTTPClientError.disconnected)
            guard request.canBeResent else { return completion(.failure(HTTPClientError.disconnected)) }
            pool.closeIdle()
            call.resending = loop.spawn { [self] in
                do {
                    completion(
                        .success(
                            try await send(request, to: pool, in: context, until: deadline, urlTemplate, resendCount: 1)
                        ))
                } catch {
                    completion(.failure(error))
                }
            }
        }
        do {
            try connection.begin(exchange, request, in: context, until: deadline)
        } catch {
            exchange.takeReceiver()?.resume(.failure(error))
        }
        return call
    }

    private func deadline(_ timeoutMilliseconds: Int?, _ context: TelemetryContext) -> UInt64 {
        let timeout = max(0, timeoutMilliseconds ?? configuration.requestTimeoutMilliseconds)
        let own = TelemetryClock.system.monotonicNanoseconds() &+ UInt64(timeout) &* 1_000_000
        return min(own, context.deadline ?? .max)
    }

    private func observation(
        of request: HTTPRequest, _ pool: HTTPClientPool, _ context: TelemetryContext, _ urlTemplate: String?,
        _ resendCount: Int
    ) -> HTTPClientObservation? {
        telemetry.map { telemetry in
            HTTPClientObservation(
                telemetry: telemetry, series: pool.series(telemetry), endpoint: pool.endpoint, request: request,
                urlTemplate: urlTemplate, resendCount: resendCount, parent: context)
        }
    }

    /// What the client itself says with each request, instead of anything of the same name: the context, and how long
    /// it waits. Give it back.
    func borrowFields(
        _ context: TelemetryContext, _ observation: HTTPClientObservation?, _ deadline: UInt64
    ) -> HTTPFields {
        var fields = HTTPFields()
        swap(&fields, &spareFields)
        if let observation {
            Propagation.inject(context, span: observation.span.context) { fields.add($0, bytes: $1) }
        }
        fields.add("x-request-deadline", Int(clamping: Deadline.millisecondsLeft(deadline)))
        return fields
    }

    func giveBack(_ fields: consuming HTTPFields) {
        fields.removeAll()
        spareFields = fields
    }

    private func pool(_ url: String) throws -> HTTPClientPool {
        if let lastPool, lastPool.url == url { return lastPool.pool }
        let pool = try findPool(url)
        lastPool = (url, pool)
        return pool
    }

    private func findPool(_ url: String) throws -> HTTPClientPool {
        if let pool = poolsByURL[url] { return pool }
        let endpoint = try HTTPEndpoint(url)
        // In the clear it must not go.
        guard !endpoint.isSecure || configuration.tls != nil else { throw HTTPClientError.invalidURL(endpoint.url) }
        if poolsByURL.count >= Self.maxPeers { poolsByURL.removeAll() }
        if pools.count >= Self.maxPeers { pools = pools.filter { !$0.value.isUnused } }
        let pool = pools[endpoint] ?? HTTPClientPool(endpoint: endpoint, shard: self)
        pools[endpoint] = pool
        poolsByURL[url] = pool
        return pool
    }

    // MARK: Idle connections

    /// A connection began to idle: somebody has to look after it.
    func connectionIdles() {
        guard sweeper == nil else { return }
        sweeper = loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
            [self] in sweep()
        }
    }

    private func sweep() {
        let limit = UInt64(max(0, configuration.idleTimeoutSeconds)) * 1000
        let now = loop.nowMilliseconds
        var hasIdle = false
        for pool in pools.values {
            pool.closeIdle(since: now < limit ? 0 : now - limit)
            if pool.hasIdle { hasIdle = true }
        }
        guard !hasIdle else { return }
        sweeper?.cancel()
        sweeper = nil
    }

    func shutdown() {
        isShutDown = true
        for pool in pools.values { pool.shutdown() }
        pools = [:]
        poolsByURL = [:]
        lastPool = nil
        sweeper?.cancel()
        sweeper = nil
    }

    // MARK: Output

    func borrowOutput() -> [UInt8] {
        var output: [UInt8] = []
        swap(&output, &spareOutput)
        return output
    }

    func giveBack(_ output: consuming [UInt8]) {
        guard output.capacity <= Self.keptOutputBytes else { return }
        output.removeAll(keepingCapacity: true)
        spareOutput = output
    }
}

/// Time that is left until a moment of the monotonic clock.
enum Deadline {
    /// Rounded up, so that a timer does not fire before the moment.
    static func millisecondsLeft(_ deadline: UInt64) -> UInt64 {
        let now = TelemetryClock.system.monotonicNanoseconds()
        return deadline <= now ? 0 : (deadline - now + 999_999) / 1_000_000
    }
}

extension HTTPMethod {
    /// RFC 9110, section 9.2.2.
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }
}

extension HTTPRequest {
    /// Whether sending it a second time does no harm, and is possible.
    fileprivate var canBeResent: Bool {
        if case .stream = body { return false }
        return method.isIdempotent || headers.contains("idempotency-key")
    }
}
