internal import HTTP
internal import HTTPCodec
internal import Security
internal import Telemetry

/// What happens to every request of a service: route → context → span → identity → access → handler → error shape → one
/// observation. Runs on the connection's loop and never leaves it.
final class RequestPipeline: Sendable {
    /// Handles what no route takes.
    struct Fallback: Sendable {
        let templates: [String]
        /// Which of the templates a request has.
        let template: @Sendable (HTTPRequest) -> Int?
        let maxBodyBytes: Int
        let handler: RouteHandler
    }

    private let router: Router
    private let fallback: Fallback?
    private let telemetry: Telemetry
    private let instruments: HTTPInstruments
    private let authenticator: Authenticator
    /// Whether the peer's trace context, deadline and signed identity count.
    private let trustsPeer: Bool
    /// Whether the peer's trace goes on here.
    private let continuesTraces: Bool
    private let defaultDeadlineMilliseconds: UInt64
    private let unmatched: TemplateTelemetry
    private let fallbackTemplates: [TemplateTelemetry]

    init(
        router: Router, fallback: Fallback?, telemetry: Telemetry, instruments: HTTPInstruments,
        authenticator: Authenticator, trustsPeer: Bool, continuesTraces: Bool = false,
        defaultDeadlineMilliseconds: Int
    ) {
        self.router = router
        self.fallback = fallback
        self.telemetry = telemetry
        self.instruments = instruments
        self.authenticator = authenticator
        self.trustsPeer = trustsPeer
        self.continuesTraces = trustsPeer || continuesTraces
        self.defaultDeadlineMilliseconds = UInt64(defaultDeadlineMilliseconds)
        unmatched = TemplateTelemetry(route: HTTPTelemetry.unmatchedRoute, instruments: instruments)
        fallbackTemplates = (fallback?.templates ?? []).map { TemplateTelemetry(route: $0, instruments: instruments) }
    }

    // MARK: Matching

    /// What answers a request, and under which name it is observed.
    private struct Plan {
        var endpoint: Router.Endpoint?
        var route: Route?
        var telemetry: RouteTelemetry
    }

    private func plan(_ request: HTTPRequest) -> Plan {
        let method = MethodLabel(request.method)
        if let endpoint = router.endpoint(of: request.target) {
            return Plan(
                endpoint: endpoint, route: endpoint.routes[method.rawValue],
                telemetry: endpoint.observers[method.rawValue] ?? endpoint.telemetry.method(method))
        }
        let template = fallback?.template(request).map { fallbackTemplates[$0] } ?? unmatched
        return Plan(telemetry: template.method(method))
    }

    // MARK: The way of a request

    /// Decides about a request, and sees it through to its end whichever way it takes. Only a handler that waits costs a
    /// task.
    func dispatch(_ http: HTTPRequest) -> HTTPDisposition {
        let plan = plan(http)
        let observation = begin(http, plan)
        return TelemetryContext.$current.withValue(observation.context) {
            do {
                switch try admit(http, plan, observation) {
                case .answered(let response): return .answered(ended(response, http, observation))
                case .call(.immediate(let handler), let request):
                    return .answered(ended(try handler(request), http, observation))
                case .call(.waiting(let handler), let request):
                    return .waiting(work(.handler(handler, request), http, plan, observation))
                case .call(.deciding(let handler), let request):
                    return observed(try handler(request), http, plan, observation)
                }
            } catch {
                return .answered(failed(error, http, plan, observation))
            }
        }
    }

    /// What a task does.
    private enum Work {
        case handler(RouteGroup.Handler, Request)
        case other(HTTPWork)
    }

    private func work(
        _ work: Work, _ http: HTTPRequest, _ plan: Plan, _ observation: RequestObservation
    ) -> HTTPWork {
        { [self] in
            await TelemetryContext.$current.withValue(observation.context) {
                do {
                    let response: HTTPResponse
                    switch work {
                    case .handler(let handler, let request): response = try await handler(request)
                    case .other(let work): response = try await work()
                    }
                    return ended(response, http, observation, isCancelled: Task.isCancelled)
                } catch {
                    return failed(error, http, plan, observation, isCancelled: Task.isCancelled)
                }
            }
        }
    }

    /// What a handler has decided, told of when it comes to its end.
    private func observed(
        _ disposition: HTTPDisposition, _ http: HTTPRequest, _ plan: Plan, _ observation: RequestObservation
    ) -> HTTPDisposition {
        switch disposition {
        case .answered(let response): return .answered(ended(response, http, observation))
        case .waiting(let work): return .waiting(self.work(.other(work), http, plan, observation))
        case .promised(let promise):
            promise.shaped { [self] promise, outcome in
                TelemetryContext.$current.withValue(observation.context) {
                    switch outcome {
                    case .success(let response): ended(response, http, observation, isCancelled: promise.isCancelled)
                    case .failure(let error):
                        failed(error, http, plan, observation, isCancelled: promise.isCancelled)
                    }
                }
            }
            return disposition
        }
    }

    /// A response that a handler gave.
    private func ended(
        _ response: HTTPResponse, _ http: HTTPRequest, _ observation: RequestObservation, isCancelled: Bool = false
    ) -> HTTPResponse {
        observation.status = response.status.code
        if isCancelled { disconnected(observation) }
        return completed(response, http, observation)
    }

    /// What the client is told of an error.
    private func failed(
        _ error: any Error, _ http: HTTPRequest, _ plan: Plan, _ observation: RequestObservation,
        isCancelled: Bool = false
    ) -> HTTPResponse {
        completed(refusal(error, http, plan, observation, isCancelled: isCancelled), http, observation)
    }

    private func completed(
        _ response: HTTPResponse, _ http: HTTPRequest, _ observation: RequestObservation
    ) -> HTTPResponse {
        var response = response
        addIdentifiers(observation.context, to: &response)
        finish(observation, &response, isHead: http.method == .head)
        return response
    }

    /// Starts the span, in the context that came along if its sender is believed.
    private func begin(_ http: HTTPRequest, _ plan: Plan) -> RequestObservation {
        let now = TelemetryClock.system.monotonicNanoseconds()
        instruments.inFlight.add(1)
        let sent = Self.extract(http.headers)
        let span: Span
        if continuesTraces || sent.span == nil {
            span = telemetry.tracer.startSpan(plan.telemetry.spanName, kind: .server, parent: sent)
        } else {
            // A stranger's trace is not ours to continue: a new one starts, and points to it.
            span = telemetry.tracer.startSpan(
                plan.telemetry.spanName, kind: .server, parent: TelemetryContext(),
                links: sent.span.map { [SpanLink($0)] } ?? [])
        }
        if plan.telemetry.method == .other { span.set(.requestMethodOriginal, http.method.name) }
        let context = TelemetryContext(
            span: span.context, requestID: sent.requestID, baggage: trustsPeer ? sent.baggage : Baggage(),
            deadline: now + allowedNanoseconds(http.headers), details: telemetry.logger.makeDetails())
        return RequestObservation(
            span: span, context: context, route: plan.telemetry, isQuiet: plan.route?.isQuiet ?? false,
            target: http.target, clientAddress: clientAddress(http), requestBytes: Self.knownLength(http.body),
            minorVersion: http.minorVersion, startNanoseconds: now)
    }

    /// What there is to do for a request whose caller is known and may call.
    private enum Step {
        case call(RouteHandler, Request)
        case answered(HTTPResponse)
    }

    private func admit(_ http: HTTPRequest, _ plan: Plan, _ observation: RequestObservation) throws -> Step {
        let caller = authenticator.caller(http.headers, acceptsSigned: trustsPeer)
        let identity = caller.identity
        observation.userID = identity?.userID
        let requestID = observation.context.requestID ?? ""
        if let route = plan.route {
            try Authenticator.check(caller, route.access)
            var handler = route.handler
            if let grant = route.grant, let identity {
                switch grant.known(identity) {
                case true?: break
                case false?: throw Authenticator.forbidden
                // Only this costs a task, and a call of the users service.
                case nil: handler = .waiting { try await route.asked(grant, $0) }
                }
            }
            return .call(
                handler,
                Request(
                    http: http, route: route.template, identity: identity, requestID: requestID,
                    parameters: route.parameters, maxBodyBytes: route.maxBodyBytes))
        }
        if let endpoint = plan.endpoint { return .answered(try Self.withoutRoute(http, endpoint)) }
        guard let fallback else {
            throw HTTPError(.notFound, "not_found", "there is nothing under this path")
        }
        return .call(
            fallback.handler,
            Request(
                http: http, route: plan.telemetry.route, identity: identity, requestID: requestID, parameters: [],
                maxBodyBytes: fallback.maxBodyBytes))
    }

    /// A path that is there, asked with a method that it does not have.
    private static func withoutRoute(_ http: HTTPRequest, _ endpoint: Router.Endpoint) throws -> HTTPResponse {
        if http.method == .options {
            var response = HTTPResponse(status: .noContent)
            response.headers.add("allow", endpoint.allow)
            return response
        }
        var error = HTTPError(
            .methodNotAllowed, "method_not_allowed",
            "this path does not take this method: use one of \(endpoint.allow)")
        error.headers.append(("allow", endpoint.allow))
        throw error
    }

    // MARK: Errors

    private func disconnected(_ observation: RequestObservation) {
        observation.isClientGone = true
        observation.status = HTTPTelemetry.clientClosedRequest
    }

    private func refusal(
        _ error: any Error, _ http: HTTPRequest, _ plan: Plan, _ observation: RequestObservation, isCancelled: Bool
    ) -> HTTPResponse {
        if error is CancellationError || isCancelled {
            disconnected(observation)
            return HTTPResponse(status: HTTPStatus(HTTPTelemetry.clientClosedRequest))
        }
        let told = HTTPError.telling(of: error)
        observation.status = told.status.code
        let what = "\(plan.telemetry.method.name) \(plan.telemetry.route)"
        if told.status.code >= 500 {
            let type = HTTPError.type(of: error)
            observation.errorType = type
            telemetry.logger.log(
                HTTPTelemetry.failed, "\(what) failed: \(type)",
                [Attribute(.errorType, .string(type)), Attribute(.errorMessage, .string(String(describing: error)))])
        } else if told.status == .unauthorized || told.status == .forbidden {
            telemetry.logger.log(
                HTTPTelemetry.denied, "\(what) denied: \(told.code)", [Attribute(.reasonLabel, .string(told.code))])
        }
        let shape = plan.route?.shape ?? router.shape(of: http.target)
        return shape.response(
            to: told, traceID: observation.context.span?.traceID, requestID: observation.context.requestID)
    }

    // MARK: The end

    private func addIdentifiers(_ context: TelemetryContext, to response: inout HTTPResponse) {
        // A proxied response brings those of the other side.
        response.headers.remove("x-request-id")
        response.headers.remove("x-trace-id")
        if let requestID = context.requestID { response.headers.add("x-request-id", requestID) }
        guard let traceID = context.span?.traceID else { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
            traceID.write(to: digits)
            response.headers.add("x-trace-id", bytes: UnsafeBufferPointer(digits))
        }
    }

    /// Tells of the request now, or with the last piece of a body that is still being written.
    private func finish(_ observation: RequestObservation, _ response: inout HTTPResponse, isHead: Bool) {
        switch response.body {
        case .empty: break
        case .bytes(let bytes): observation.responseBytes = isHead ? 0 : bytes.count
        case .stream(let length, let pieces):
            if isHead { break }
            response.body = .stream(
                length: length, ObservedBody(pieces, observation, instruments, telemetry.logger))
            return
        }
        observation.finish(instruments, telemetry.logger)
    }

    // MARK: What came along

    /// Several fields of one name are one list, where the standards say so.
    private static func extract(_ headers: HTTPFields) -> TelemetryContext {
        Propagation.extract { name in
            guard let first = headers[name] else { return nil }
            if name == Propagation.requestID { return first }
            let all = headers.values(name)
            return all.count > 1 ? all.joined(separator: ",") : first
        }
    }

    /// When the caller stops waiting, or when we stop working: the earlier of both.
    private func allowedNanoseconds(_ headers: HTTPFields) -> UInt64 {
        var milliseconds = defaultDeadlineMilliseconds
        if trustsPeer, let left = headers["x-request-deadline"].flatMap(UInt64.init) {
            milliseconds = min(milliseconds, left)
        }
        return milliseconds * 1_000_000
    }

    /// The shopper's address: the gateway passes it on, and nobody else is believed.
    private func clientAddress(_ http: HTTPRequest) -> String {
        guard trustsPeer, let list = http.headers["x-forwarded-for"] else { return http.peerAddress }
        return String(list.prefix { $0 != "," && $0 != " " })
    }

    private static func knownLength(_ body: HTTPBody) -> Int? {
        switch body {
        case .empty: 0
        case .bytes(let bytes): bytes.count
        case .stream(let length, _): length
        }
    }
}
