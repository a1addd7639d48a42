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
                (name, Upstream(name, isOpen: telemetry.breakerGauge(name)))
            })
        upstreams = table.entries.compactMap { byName[$0.service] }
    }

    /// - Throws: `HTTPError` with the fields that all answers of the gateway have; `CancellationError`.
    func handle(_ request: Request) async throws -> HTTPResponse {
        let origin = crossOrigin.allowed(request.http.headers)
        do {
            var response = try await answer(request, origin)
            security.add(to: &response.headers)
            if let origin, !crossOrigin.isPreflight(request.http) {
                for field in crossOrigin.fields(origin) { response.headers.add(field.name, field.value) }
            }
            return response
        } catch let error as CancellationError {
            throw error
        } catch {
            var told = (error as? UpstreamFailure)?.httpError ?? HTTPError.telling(of: error)
            security.fields.forEach { told.headers.append(($0, $1)) }
            if let origin { told.headers += crossOrigin.fields(origin) }
            throw told
        }
    }

    private func answer(_ request: Request, _ origin: String?) async throws -> HTTPResponse {
        guard let index = table.index(for: request.http.target) else {
            throw HTTPError(.notFound, "not_found", "there is nothing under this path")
        }
        let entry = table.entries[index]
        let upstream = upstreams[index]
        if let origin, crossOrigin.isPreflight(request.http) { return crossOrigin.preflight(origin) }
        try checkMethod(request.http.method)
        try limits.admit(
            peer: request.http.peerAddress, identity: request.identity, isSensitive: entry.isSensitive)
        try checkToken(request, entry)
        return try await forward(request, entry, upstream)
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

    private func forward(_ request: Request, _ entry: RoutingTable.Entry, _ upstream: Upstream) async throws
        -> HTTPResponse
    {
        let url = try services.url(of: upstream.name)
        let outgoing = outgoing(request)
        var response: HTTPResponse
        if outgoing.mayBeRepeated {
            var policy = RetryPolicy()
            policy.capMilliseconds = 500
            response = try await policy.run(budget: upstream.budget, isTransient: Self.isTransient) { attempt in
                if attempt > 1 { telemetry.noteRetry(upstream.name) }
                return try await send(outgoing, to: url, entry, upstream)
            }
        } else {
            response = try await send(outgoing, to: url, entry, upstream)
        }
        response.headers = HeaderPolicy.response(
            response.headers, keepsLength: request.http.method == .head, spareFields: Self.spareFields,
            spareBytes: Self.spareBytes)
        return response
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

    /// One attempt, seen by the breaker.
    private func send(
        _ request: HTTPRequest, to url: String, _ entry: RoutingTable.Entry, _ upstream: Upstream
    ) async throws -> HTTPResponse {
        guard upstream.admits() else {
            telemetry.noteRefusal(upstream.name)
            var error = HTTPError(
                .serviceUnavailable, "upstream_failing",
                "the service behind this path fails at the moment: try again in \(Self.breakerOpenSeconds) s")
            error.headers = [("retry-after", "\(Self.breakerOpenSeconds)")]
            throw error
        }
        do {
            let response = try await client.send(
                request, to: url, timeoutMilliseconds: configuration.upstreamTimeoutMilliseconds,
                urlTemplate: entry.template)
            upstream.answered()
            return response
        } catch let error as HTTPClientError {
            if case .invalidRequest = error { upstream.abandoned() } else { upstream.failed() }
            telemetry.noteFailure(upstream.name, error.errorType)
            throw UpstreamFailure(error)
        } catch {
            // The client left, or its body was too large or malformed: nothing is known of the service.
            upstream.abandoned()
            throw error
        }
    }

    private static func isTransient(_ error: any Error) -> Bool {
        switch (error as? UpstreamFailure)?.cause {
        case .connectFailed, .disconnected: true
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

    private static let unavailable: HTTPError = {
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
