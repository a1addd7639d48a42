internal import HTTP
internal import HTTPCodec
internal import Resilience
internal import Security
internal import ServiceKit
internal import Telemetry

/// Passes requests on: limited, cleaned, identified; bodies stream both ways with bounded memory.
struct Proxy: Sendable {
    private let table: RoutingTable
    private let configuration: GatewayConfiguration
    private let services: ServiceClient
    private let client: HTTPClient
    private let identities: SignedIdentities
    private let limits: Limits
    private let telemetry: GatewayTelemetry
    private let security: SecurityHeaders
    private let crossOrigin: CrossOrigin
    /// In the order of the table's entries.
    private let upstreams: [Upstream]

    /// Who passes this on (RFC 9110, section 7.6.3: gateways must say so to the server).
    private static let via = "1.1 vitrine"
    /// For `Allow` (RFC 9110, section 10.2.1).
    private static let methods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    /// Room for the fields that are added to a message.
    private static let spareFields = 8
    private static let spareBytes = 512
    private static let breakerOpenSeconds = CircuitBreaker.Policy().openNanoseconds / 1_000_000_000

    init(
        table: RoutingTable, configuration: GatewayConfiguration, services: ServiceClient, client: HTTPClient,
        identities: SignedIdentities, telemetry: GatewayTelemetry
    ) {
        self.table = table
        self.configuration = configuration
        self.services = services
        self.client = client
        self.identities = identities
        self.telemetry = telemetry
        limits = Limits(configuration, telemetry: telemetry)
        security = SecurityHeaders(isEncrypted: configuration.publicScheme == "https")
        crossOrigin = CrossOrigin(origins: configuration.corsOrigins)
        let byName = Dictionary(
            uniqueKeysWithValues: table.services.map { name in
                (name, Upstream(services.destination(name), isOpen: telemetry.breakerGauge(name)))
            })
        upstreams = table.entries.compactMap { byName[$0.service] }
    }

    /// Decides about a request: most go to their service at once, on a connection that idles, and no task waits for the
    /// answer.
    /// - Throws: `HTTPError` with the fields that all answers of the gateway have.
    func handle(_ request: Request) throws -> HTTPDisposition {
        let origin = crossOrigin.allowed(request.http.headers)
        do {
            guard let index = table.index(for: request.http.target) else {
                throw HTTPError(.notFound, "not_found", "there is nothing under this path")
            }
            let entry = table.entries[index]
            if let origin, crossOrigin.isPreflight(request.http) {
                return .answered(complete(crossOrigin.preflight(origin), origin: nil))
            }
            try checkMethod(request.http.method)
            try limits.admit(
                peer: request.http.peerAddress, identity: request.identity, isSensitive: entry.isSensitive)
            try checkToken(request, entry)
            let upstream = upstreams[index]
            let pick = try admit(upstream)
            return start(
                Hop(
                    request: outgoing(request), pick: pick, upstream: upstream, entry: entry, origin: origin,
                    context: .current))
        } catch {
            throw told(error, origin)
        }
    }

    /// A request that the gateway answers itself, within the client's limits.
    func admitted(_ request: Request) throws -> Request {
        try limits.admit(peer: request.http.peerAddress, identity: request.identity, isSensitive: false)
        return request
    }

    /// A request on its way to a service.
    private struct Hop: Sendable {
        /// As the service gets it.
        let request: HTTPRequest
        /// Where this attempt goes.
        var pick: Destination.Pick
        let upstream: Upstream
        let entry: RoutingTable.Entry
        /// The page that the answer is for.
        let origin: String?
        let context: TelemetryContext
    }

    /// What all answers of the gateway have.
    private func complete(_ response: HTTPResponse, origin: String?) -> HTTPResponse {
        var response = response
        security.add(to: &response.headers)
        if let origin {
            for field in crossOrigin.fields(origin) { response.headers.add(field.name, field.value) }
        }
        return response
    }

    /// What all errors of the gateway have.
    private func told(_ error: any Error, _ origin: String?) -> any Error {
        if error is CancellationError { return error }
        var told = (error as? UpstreamFailure)?.httpError ?? HTTPError.telling(of: error)
        security.fields.forEach { told.headers.append(($0, $1)) }
        if let origin { told.headers += crossOrigin.fields(origin) }
        return told
    }

    private func checkMethod(_ method: HTTPMethod) throws {
        switch method {
        case .get, .head, .post, .put, .patch, .delete, .options: return
        case .trace, .connect, .other:
            var error = HTTPError(.methodNotAllowed, "method_not_allowed", "this method is not passed on")
            error.headers = [("allow", Self.methods)]
            throw error
        }
    }

    /// A token that is not good is told at once, before a service is bothered with it. Where tokens are handed out an
    /// old one does no harm: whoever asks for a new one often still sends it.
    private func checkToken(_ request: Request, _ entry: RoutingTable.Entry) throws {
        guard request.identity == nil, !entry.isSensitive, request.http.headers.contains("authorization") else {
            return
        }
        var error = HTTPError(.unauthorized, "token_invalid", "Could not validate credentials")
        // RFC 6750, section 3.1.
        error.headers = [("www-authenticate", #"Bearer error="invalid_token""#)]
        throw error
    }

    // MARK: To the service and back

    /// The first attempt.
    private func start(_ hop: Hop) -> HTTPDisposition {
        if hop.request.mayBeRepeated { hop.upstream.budget.deposit() }
        let promise = HTTPPromise()
        let call = client.start(
            hop.request, to: hop.pick.url, timeoutMilliseconds: configuration.upstreamTimeoutMilliseconds,
            urlTemplate: hop.entry.template
        ) { [self] result in ended(hop, result, promise) }
        guard let call else { return .waiting { [self] in try await wait(hop) } }
        promise.onCancel = { call.cancel() }
        return .promised(promise)
    }

    /// The first attempt was made without a task.
    private func ended(_ hop: Hop, _ result: Result<HTTPResponse, any Error>, _ promise: HTTPPromise) {
        switch result {
        case .success(let response):
            answered(hop)
            promise.resolve(.success(passedOn(response, hop)))
        case .failure(let error):
            let failure = TelemetryContext.$current.withValue(hop.context) { noted(error, hop) }
            guard mayBeRepeated(hop, after: failure) else {
                return promise.resolve(.failure(told(failure, hop.origin)))
            }
            promise.resolve(in: hop.context) { [self] in try await repeated(hop, after: failure) }
        }
    }

    /// The same in a task: the first attempt has to wait for a connection, or its body streams.
    private func wait(_ hop: Hop) async throws -> HTTPResponse {
        do {
            return passedOn(try await send(hop), hop)
        } catch {
            guard mayBeRepeated(hop, after: error) else { throw told(error, hop.origin) }
            return try await repeated(hop, after: error)
        }
    }

    /// The attempts after the first.
    private func repeated(_ hop: Hop, after failure: any Error) async throws -> HTTPResponse {
        var policy = RetryPolicy()
        policy.capMilliseconds = 500
        // Another instance has nothing to recover from.
        if hop.upstream.destination.hasOthers { policy.baseMilliseconds = 0 }
        let first = hop
        var hop = hop
        do {
            let response = try await policy.run(
                budget: hop.upstream.budget, isTransient: { mayBeRepeated(first, after: $0) }, after: failure
            ) { attempt in
                telemetry.noteRetry(hop.upstream.name)
                hop.pick = try admit(hop.upstream, besides: hop.pick)
                return try await send(hop, resendCount: attempt - 1)
            }
            return passedOn(response, hop)
        } catch {
            throw told(error, hop.origin)
        }
    }

    /// The service's answer as the client gets it.
    private func passedOn(_ response: HTTPResponse, _ hop: Hop) -> HTTPResponse {
        var response = response
        response.headers = HeaderPolicy.response(
            response.headers, keepsLength: hop.request.method == .head, spareFields: Self.spareFields,
            spareBytes: Self.spareBytes)
        return complete(response, origin: hop.origin)
    }

    /// The request as the service gets it.
    private func outgoing(_ request: Request) -> HTTPRequest {
        var headers = HeaderPolicy.request(
            request.http.headers, spareFields: Self.spareFields, spareBytes: Self.spareBytes)
        headers.add("x-forwarded-for", request.http.peerAddress)
        headers.add("x-forwarded-proto", configuration.publicScheme)
        _ = request.http.headers.withValue("host") { headers.add("x-forwarded-host", bytes: $0) }
        headers.add("via", Self.via)
        if let identity = request.identity { headers.add(IdentitySigner.header, identities.text(for: identity)) }
        return HTTPRequest(
            method: request.http.method, target: request.http.target, headers: headers, body: request.http.body)
    }

    // MARK: Attempts, seen by the breaker

    /// - Parameter failed: where the request has been in vain.
    /// - Returns: where it goes; the attempt's end must be noted.
    /// - Throws: `HTTPError` 503 while the breaker is open, or no address is known.
    private func admit(_ upstream: Upstream, besides failed: Destination.Pick? = nil) throws -> Destination.Pick {
        if upstream.admits() {
            if let pick = upstream.destination.pick(besides: failed) { return pick }
            upstream.abandoned()
            throw UpstreamFailure.unavailable
        }
        telemetry.noteRefusal(upstream.name)
        var error = HTTPError(
            .serviceUnavailable, "upstream_failing",
            "the service behind this path fails at the moment: try again in \(Self.breakerOpenSeconds) s")
        error.headers = [("retry-after", "\(Self.breakerOpenSeconds)")]
        throw error
    }

    /// One attempt that was admitted.
    private func send(_ hop: Hop, resendCount: Int = 0) async throws -> HTTPResponse {
        do {
            let response = try await client.send(
                hop.request, to: hop.pick.url, timeoutMilliseconds: configuration.upstreamTimeoutMilliseconds,
                urlTemplate: hop.entry.template, resendCount: resendCount)
            answered(hop)
            return response
        } catch {
            throw noted(error, hop)
        }
    }

    private func answered(_ hop: Hop) {
        hop.upstream.answered()
        hop.pick.answered()
    }

    /// Notes how an attempt failed.
    private func noted(_ error: any Error, _ hop: Hop) -> any Error {
        guard let error = error as? HTTPClientError else {
            // The client left, or its body was too large or malformed: nothing is known of the service.
            hop.upstream.abandoned()
            hop.pick.abandoned()
            return error
        }
        hop.pick.failed(error)
        if case .invalidRequest = error { hop.upstream.abandoned() } else { hop.upstream.failed() }
        telemetry.noteFailure(hop.upstream.name, error.errorType)
        return UpstreamFailure(error)
    }

    /// Whether an attempt that failed may be made again: reads, and with another instance at hand anything that never left
    /// (its body has not been touched then).
    private func mayBeRepeated(_ hop: Hop, after failure: any Error) -> Bool {
        switch (failure as? UpstreamFailure)?.cause {
        case .connectFailed: hop.request.mayBeRepeated || hop.upstream.destination.hasOthers
        case .disconnected: hop.request.mayBeRepeated
        default: false
        }
    }
}

/// A service did not answer, and what the client is told of it.
private struct UpstreamFailure: Error {
    let cause: HTTPClientError

    init(_ cause: HTTPClientError) { self.cause = cause }

    var httpError: HTTPError {
        switch cause {
        case .timedOut:
            HTTPError(.gatewayTimeout, "upstream_timeout", "the service behind this path did not answer in time")
        case .connectFailed, .tooManyWaiting, .shutDown:
            Self.unavailable
        default:
            HTTPError(.badGateway, "upstream_broken", "the service behind this path did not answer properly")
        }
    }

    static let unavailable: HTTPError = {
        var error = HTTPError(
            .serviceUnavailable, "upstream_unavailable",
            "the service behind this path cannot be reached: try again in a moment")
        error.headers = [("retry-after", "1")]
        return error
    }()
}

extension HTTPRequest {
    /// Whether sending it twice does no harm, and is possible.
    fileprivate var mayBeRepeated: Bool {
        guard case .empty = body else { return false }
        return method == .get || method == .head || method == .options
    }
}
