internal import HTTP
internal import HTTPCodec
internal import Resilience
internal import Security
internal import ServiceKit
internal import Telemetry

/// Passes requests on: limited, cleaned, identified; bodies stream both ways with bounded memory.
struct Proxy: Sendable {
    let table: RoutingTable
    let services: ServiceClient
    let configuration: GatewayConfiguration
    let telemetry: GatewayTelemetry
    let general: RateLimiter
    let sensitive: RateLimiter
    let identities: SignedIdentities
    let breakers = UpstreamBreakers()

    /// - Throws: `HTTPError`.
    func handle(_ request: Request) async throws -> HTTPResponse {
        guard let entry = table.entry(for: request.http.path) else {
            throw HTTPError(.notFound, "route.unknown", "nothing is served under this path")
        }
        let origin = request.header("origin").flatMap { configuration.corsOrigins.contains($0) ? $0 : nil }
        if request.http.method == .options, let origin { return preflight(origin) }
        try admit(request, entry)
        // A token that is not good is told at once, before a service is bothered with it.
        if request.identity == nil, request.http.headers.contains("authorization") {
            _ = try request.caller()
        }
        var response = try await forward(request, entry)
        response.headers = HeaderPolicy.forClient(response.headers)
        if let origin {
            response.headers.set("access-control-allow-origin", origin)
            response.headers.add("vary", "Origin")
        }
        return response
    }

    private func preflight(_ origin: String) -> HTTPResponse {
        var response = HTTPResponse.empty()
        response.headers.add("access-control-allow-origin", origin)
        response.headers.add("access-control-allow-methods", "GET, POST, PUT, DELETE")
        response.headers.add(
            "access-control-allow-headers", "authorization, content-type, idempotency-key, x-request-id")
        response.headers.add("access-control-max-age", "600")
        response.headers.add("vary", "Origin")
        return response
    }

    private func admit(_ request: Request, _ entry: RoutingTable.Entry) throws {
        let limiter = entry.isSensitive ? sensitive : general
        // By peer address: a client could write anything into a forwarding field.
        let now = TelemetryClock.system.monotonicNanoseconds()
        guard case .refused(let seconds) = limiter.admit(request.http.peerAddress, now: now) else { return }
        (entry.isSensitive ? telemetry.limitedSensitive : telemetry.limited).increment()
        let wait = max(1, Int(seconds.rounded(.up)))
        var error = HTTPError(.tooManyRequests, "rate.limited", "too many requests: wait \(wait) s")
        error.headers = [("retry-after", "\(wait)")]
        throw error
    }

    private func forward(_ request: Request, _ entry: RoutingTable.Entry) async throws -> HTTPResponse {
        guard breakers.admits(entry.service) else {
            telemetry.noteBreaker(entry.service)
            var error = HTTPError(
                .serviceUnavailable, "upstream.failing", "\(entry.service) fails at the moment: try again in 30 s")
            error.headers = [("retry-after", "30")]
            throw error
        }
        var upstream = request.http
        upstream.headers = HeaderPolicy.forUpstream(request.http.headers)
        upstream.headers.add("x-forwarded-for", request.http.peerAddress)
        upstream.headers.add("x-forwarded-proto", "http")
        if let host = request.header("host") { upstream.headers.add("x-forwarded-host", host) }
        if let identity = request.identity {
            upstream.headers.add(IdentitySigner.header, identities.text(for: identity))
        }
        do {
            let response = try await services.forward(upstream, to: entry.service, template: entry.template)
            breakers.record(entry.service, success: response.status.code < 500)
            return response
        } catch let error as HTTPClientError {
            breakers.record(entry.service, success: false)
            telemetry.noteFailure(entry.service, error.errorType)
            throw Self.answer(error, entry.service)
        }
    }

    private static func answer(_ error: HTTPClientError, _ service: String) -> HTTPError {
        switch error {
        case .timedOut: HTTPError(.gatewayTimeout, "upstream.timeout", "\(service) did not answer in time")
        case .connectFailed, .tooManyWaiting, .shutDown:
            HTTPError(.serviceUnavailable, "upstream.unavailable", "\(service) cannot be reached")
        default: HTTPError(.badGateway, "upstream.broken", "\(service) did not answer properly")
        }
    }
}
