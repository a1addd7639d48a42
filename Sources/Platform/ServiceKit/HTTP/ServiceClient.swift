internal import EventLoop
internal import FoundationEssentials
package import HTTP
package import HTTPCodec
internal import Resilience
package import Security
internal import Telemetry

/// Calls other services of the platform by name. Identity is signed for the hop; trace, request id and deadline of
/// the current task go along.
package struct ServiceClient: Sendable {
    private let callerName: String
    private let http: HTTPClient
    private let directory: ServiceDirectory
    private let identities: IdentitySigner
    private let group: EventLoopGroup
    private let breakers: ServiceBreakers
    private let budget = RetryBudget()

    /// Calls of one service that may wait for an answer at once: ten thousand a second at the 13 ms that a call of ours takes
    /// at its slowest.
    package static let maxCallsAtOnce = 128
    /// Attempts of a call that may be repeated.
    private static let maxAttempts = 3
    /// Bytes of an answer that are read.
    private static let maxResponseBytes = 16 * 1024 * 1024
    private static let maxErrorBytes = 64 * 1024

    init(
        callerName: String, http: HTTPClient, directory: ServiceDirectory, identities: IdentitySigner,
        group: EventLoopGroup, telemetry: Telemetry
    ) {
        breakers = ServiceBreakers(telemetry, maxCalls: Self.maxCallsAtOnce)
        self.group = group
        self.callerName = callerName
        self.http = http
        self.directory = directory
        self.identities = identities
    }

    /// Calls of a service that wait for an answer at the moment.
    package func callsNow(to service: String) -> Int { breakers[service].bulkhead.count }

    /// Whose identity the call carries.
    package enum Caller: Sendable {
        case user(Identity)
        /// The calling service itself, with role `service`.
        case service
    }

    // MARK: Calls

    /// - Parameters: path: with query, percent-encoded. - template: the route for spans and metrics.
    /// - Throws: `ServiceCallError` unless the status is 2xx.
    package func get<T: Decodable & Sendable>(
        _ service: String, _ path: String, template: String, as caller: Caller, _ type: T.Type = T.self
    ) async throws -> T {
        let request = request(.get, path, caller)
        return try await decode(call(request, service, template, isRepeatable: true), service)
    }

    package func post<T: Decodable & Sendable>(
        _ service: String, _ path: String, template: String, as caller: Caller, body: some Encodable & Sendable,
        idempotencyKey: String? = nil, _ type: T.Type = T.self
    ) async throws -> T {
        var request = try request(.post, path, caller, body: body)
        if let idempotencyKey { request.headers.add("idempotency-key", idempotencyKey) }
        return try await decode(call(request, service, template, isRepeatable: idempotencyKey != nil), service)
    }

    package func put<T: Decodable & Sendable>(
        _ service: String, _ path: String, template: String, as caller: Caller, body: some Encodable & Sendable,
        _ type: T.Type = T.self
    ) async throws -> T {
        let request = try request(.put, path, caller, body: body)
        return try await decode(call(request, service, template, isRepeatable: true), service)
    }

    /// Deletes; the answer's body, if any, is not read.
    package func delete(_ service: String, _ path: String, template: String, as caller: Caller) async throws {
        _ = try await call(request(.delete, path, caller), service, template, isRepeatable: true)
    }

    /// One call with a body that is JSON already, and its answer as it comes.
    /// - Parameter isRepeatable: whether it may be sent again when it fails for a moment.
    /// - Throws: `ServiceCallError` unless the status is 2xx.
    package func exchange(
        _ method: HTTPMethod, _ service: String, _ path: String, template: String, as caller: Caller,
        body: [UInt8]? = nil, headers: [(name: String, value: String)] = [], isRepeatable: Bool
    ) async throws -> HTTPResponse {
        var request = request(method, path, caller)
        for header in headers { request.headers.add(header.name, header.value) }
        if let body {
            request.headers.add("content-type", "application/json")
            request.body = .bytes(body)
        }
        return try await call(request, service, template, isRepeatable: isRepeatable)
    }

    /// Sends a request as it is (the gateway's proxy); any status is returned. Both bodies stream; what speaks of one
    /// connection only is taken out of both heads.
    package func forward(_ request: HTTPRequest, to service: String, template: String) async throws -> HTTPResponse {
        var request = request
        request.headers.removeHopByHop()
        // The client's own host and length are for its own connection; ours are written by the codec.
        request.headers.remove("host")
        request.headers.remove("content-length")
        request.headers.remove("expect")
        let toService = request
        let response = try await onLoop {
            try await send(toService, try await pick(of: destination(service)), template)
        }
        var passedOn = response
        passedOn.headers.removeHopByHop()
        // The codec frames the body; the answer to HEAD tells the length of the one that GET would have.
        if request.method != .head { passedOn.headers.remove("content-length") }
        passedOn.headers.remove("date")
        return passedOn
    }

    // MARK: Requests

    private func request(_ method: HTTPMethod, _ path: String, _ caller: Caller) -> HTTPRequest {
        var request = HTTPRequest(method: method, target: path)
        let identity: Identity =
            switch caller {
            case .user(let identity): identity
            case .service: .service(callerName)
            }
        let now = Int64(TelemetryClock.system.wallNanoseconds() / 1_000_000_000)
        request.headers.add(IdentitySigner.header, identities.sign(identity, now: now))
        request.headers.add("accept", "application/json")
        return request
    }

    private func request(
        _ method: HTTPMethod, _ path: String, _ caller: Caller, body: some Encodable & Sendable
    ) throws -> HTTPRequest {
        var request = request(method, path, caller)
        request.headers.add("content-type", "application/json")
        request.body = .bytes(try JSONText.encode(body))
        return request
    }

    // MARK: Where to

    /// A service by its name, for callers that send themselves.
    package func destination(_ service: String) -> Destination { directory.destination(service) }

    /// Where one instance of a service listens: `http://host:port`.
    /// - Throws: `ServiceCallError` when nobody knows it.
    package func url(of service: String) throws -> String {
        guard let url = directory.destination(service).anyURL else { throw ServiceCallError.unknown(service) }
        return url
    }

    /// Where instances are known and connections kept: at once for callers that are on a loop, as handlers are.
    private func onLoop<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        if let loop = EventLoop.current, group.owns(loop) { return try await body() }
        return try await group.next().run(body)
    }

    /// The instance that a request goes to first.
    private func pick(of destination: Destination) async throws -> Destination.Pick {
        if !destination.isSettled { try await destination.settle() }
        guard let pick = destination.pick() else { throw ServiceCallError.unknown(destination.name) }
        return pick
    }

    // MARK: Attempts

    private func call(_ request: HTTPRequest, _ service: String, _ template: String, isRepeatable: Bool) async throws
        -> HTTPResponse
    {
        try await onLoop { try await attempt(request, service, template, isRepeatable: isRepeatable) }
    }

    private func attempt(_ request: HTTPRequest, _ service: String, _ template: String, isRepeatable: Bool)
        async throws -> HTTPResponse
    {
        let destination = destination(service)
        let pick = try await pick(of: destination)
        let upstream: ServiceBreakers.Upstream
        do { upstream = try breakers.admit(service) } catch {
            pick.abandoned()
            throw error
        }
        let breaker = upstream.breaker
        defer { upstream.bulkhead.leave() }
        do {
            let response = try await attempt(
                request, service, template, isRepeatable: isRepeatable, at: destination, first: pick)
            breaker.record(success: true)
            return response
        } catch let error as ServiceCallError {
            // A refusal is an answer: the service works.
            breaker.record(success: error.status.map { $0.code < 500 } ?? false)
            throw error
        } catch {
            breaker.abandon()
            throw error
        }
    }

    private func attempt(
        _ request: HTTPRequest, _ service: String, _ template: String, isRepeatable: Bool, at destination: Destination,
        first: Destination.Pick
    ) async throws -> HTTPResponse {
        var pick = first
        budget.deposit()
        var attempt = 1
        var sent = 0
        while true {
            do {
                return try await attemptOnce(request, service, pick, template, resendCount: attempt - 1)
            } catch var error as ServiceCallError {
                if !error.wasNeverSent { sent += 1 }
                // What never left does no harm elsewhere, whatever it is.
                let mayBeRepeated = isRepeatable || (error.wasNeverSent && destination.hasOthers)
                guard mayBeRepeated, error.isTransient, attempt < Self.maxAttempts, budget.withdraw() else {
                    error.attempts = max(1, sent)
                    throw error
                }
            }
            // Another instance has nothing to recover from.
            if attempt > 1 || !destination.hasOthers {
                try await Task.sleep(nanoseconds: UInt64(Backoff.milliseconds(attempt: attempt)) * 1_000_000)
            }
            guard let next = destination.pick(besides: pick) else { throw ServiceCallError.unknown(service) }
            pick = next
            attempt += 1
        }
    }

    /// One attempt, its end told to the instance.
    private func send(
        _ request: HTTPRequest, _ pick: Destination.Pick, _ template: String, resendCount: Int = 0
    ) async throws -> HTTPResponse {
        do {
            let response = try await http.send(
                request, to: pick.url, urlTemplate: template, resendCount: resendCount)
            pick.answered()
            return response
        } catch {
            if let error = error as? HTTPClientError { pick.failed(error) } else { pick.abandoned() }
            throw error
        }
    }

    private func attemptOnce(
        _ request: HTTPRequest, _ service: String, _ pick: Destination.Pick, _ template: String, resendCount: Int
    ) async throws -> HTTPResponse {
        let response: HTTPResponse
        do {
            response = try await send(request, pick, template, resendCount: resendCount)
        } catch let error as HTTPClientError {
            throw ServiceCallError(service: service, error)
        }
        guard !(200...299).contains(response.status.code) else { return response }
        let body = (try? await response.body.collect(upTo: Self.maxErrorBytes)) ?? []
        throw ServiceCallError(
            service: service, status: response.status,
            message: UpstreamError.message(in: body) ?? "it answered \(response.status.code)")
    }

    private func decode<T: Decodable>(_ response: HTTPResponse, _ service: String) async throws -> T {
        do {
            let body = try await response.body.collect(upTo: Self.maxResponseBytes)
            return try JSONDecoder().decode(T.self, from: Data(body))
        } catch is DecodingError {
            throw ServiceCallError(
                service: service, status: .badGateway, message: "its answer is not what was expected")
        }
    }
}

/// A call to another service failed. `status` is nil when no answer came.
package struct ServiceCallError: Error, Sendable {
    package let service: String
    package let status: HTTPStatus?
    /// The other service's message (`detail` or `message` of its error), or what the transport said.
    package let message: String
    /// How often it was sent: an earlier attempt may have done what the last one was refused.
    package internal(set) var attempts = 1
    /// Whether nobody got the request, not even in part.
    let wasNeverSent: Bool

    package init(service: String, status: HTTPStatus?, message: String) {
        self.service = service
        self.status = status
        self.message = message
        wasNeverSent = false
    }

    init(service: String, _ error: HTTPClientError) {
        self.service = service
        status = nil
        message = error.description
        if case .connectFailed = error { wasNeverSent = true } else { wasNeverSent = false }
    }

    static func unknown(_ service: String) -> ServiceCallError {
        ServiceCallError(
            service: service, status: nil, message: "its address is unknown: set \(service.uppercased())_URL")
    }

    /// Whether the same call may succeed in a moment.
    var isTransient: Bool {
        guard let status else { return true }
        return [502, 503, 504].contains(status.code)
    }
}

extension ServiceCallError: CustomStringConvertible {
    package var description: String {
        "the service '\(service)' \(status.map { "answered \($0.code)" } ?? "did not answer"): \(message)"
    }
}

/// Finds the message in another service's error, whichever of our shapes it has.
private enum UpstreamError {
    private struct Text: Decodable {
        let detail: Detail?
        let message: String?
    }

    private enum Detail: Decodable {
        case text(String)
        case list(String)

        private struct Item: Decodable { let msg: String }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .list(try container.decode([Item].self).map(\.msg).joined(separator: "; "))
            }
        }

        var message: String {
            switch self {
            case .text(let text), .list(let text): text
            }
        }
    }

    static func message(in body: [UInt8]) -> String? {
        guard let text = try? JSONDecoder().decode(Text.self, from: Data(body)) else { return nil }
        return text.detail?.message ?? text.message
    }
}
