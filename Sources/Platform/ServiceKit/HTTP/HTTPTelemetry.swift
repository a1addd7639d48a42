internal import HTTP
internal import Synchronization
package import Telemetry

/// What every service tells of the requests that it answers: names of metrics and log events, and the series that one
/// observation at the end of a request feeds. Everything about a request comes from that one observation, so that its
/// span, metrics and log line cannot disagree.
package enum HTTPTelemetry {
    package static let requests = Counter(
        "http_requests_total", help: "HTTP requests answered.", labels: ["service", "method", "route", "status"])
    package static let duration = Histogram(
        "http_request_duration_seconds", unit: .seconds,
        help: "Duration of HTTP requests until the answer is complete.",
        labels: ["service", "method", "route", "status"])
    /// The stable name of OpenTelemetry for the same observation.
    package static let serverDuration = Histogram(
        "http_server_request_duration_seconds", unit: .seconds,
        help: "Duration of HTTP server requests (OpenTelemetry semantic conventions).",
        labels: [
            "http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type",
            "network_protocol_version",
        ])
    package static let requestSize = Histogram(
        "http_request_size_bytes", unit: .bytes, help: "Size of the bodies of HTTP requests.",
        labels: ["service", "method", "route"], buckets: sizeBuckets)
    package static let responseSize = Histogram(
        "http_response_size_bytes", unit: .bytes, help: "Size of the bodies of HTTP responses.",
        labels: ["service", "method", "route"], buckets: sizeBuckets)
    package static let inFlight = UpDownCounter(
        "http_requests_in_flight", help: "HTTP requests being answered now.")

    package static let openConnections = Gauge(
        "http_server_open_connections", help: "Connections of clients that are open.")
    package static let refusedConnections = Counter(
        "http_server_refused_connections_total", help: "Connections answered 503 because there were too many.")
    package static let refusedRequests = Counter(
        "http_server_refused_requests_total", help: "Requests that were malformed, too large or too slow to be served.")

    private static let sizeBuckets: [Double] = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]

    /// Every metric that serving HTTP emits.
    package static let metrics: [MetricDeclaration] = [
        requests.declaration, duration.declaration, serverDuration.declaration, requestSize.declaration,
        responseSize.declaration, inFlight.declaration, openConnections.declaration,
        refusedConnections.declaration, refusedRequests.declaration,
    ]

    package static let request = LogEvent("http.request", help: "A request was answered: one line for each.")
    /// Probes and scrapes.
    package static let quietRequest = LogEvent(
        "http.request", level: .debug, help: "A probe or a scrape was answered.")
    package static let failed = LogEvent(
        "http.request.failed", level: .error, help: "A request failed for a reason that its client cannot mend.")
    package static let denied = LogEvent(
        "access.denied", level: .warn, help: "A caller was refused: no valid token, or not the right to.")

    /// Every log event that serving HTTP writes.
    package static let events: [LogEvent] = [request, failed, denied]

    /// Paths that have no route.
    package static let unmatchedRoute = "unmatched"
    /// Nobody waits for the answer any more (the code is nginx's). The access log and the seeds' metrics know it; the
    /// names of OpenTelemetry, which tell of what was sent, do not.
    package static let clientClosedRequest = 499
    /// The `error.type` of a request whose client has gone, in the access log only.
    static let disconnected = "disconnected"

    /// What almost every client speaks.
    static let usualVersion = "1.1"

    /// `network.protocol.version`.
    static func version(minor: Int) -> String { minor == 1 ? usualVersion : "1.\(minor)" }
}

/// The instruments of one service, bound.
final class HTTPInstruments: Sendable {
    let service: String
    let tracer: Tracer
    let requests: CounterFamily
    let durations: HistogramFamily
    let serverDurations: HistogramFamily
    let requestSizes: HistogramFamily
    let responseSizes: HistogramFamily
    let inFlight: GaugeSeries

    init(_ telemetry: Telemetry) {
        service = telemetry.serviceName
        tracer = telemetry.tracer
        requests = telemetry.metrics.counter(HTTPTelemetry.requests)
        durations = telemetry.metrics.histogram(HTTPTelemetry.duration)
        serverDurations = telemetry.metrics.histogram(HTTPTelemetry.serverDuration)
        requestSizes = telemetry.metrics.histogram(HTTPTelemetry.requestSize)
        responseSizes = telemetry.metrics.histogram(HTTPTelemetry.responseSize)
        inFlight = telemetry.metrics.upDownCounter(HTTPTelemetry.inFlight).series()
    }
}

/// The series of one path template, made method by method as they are used.
///
/// Safety (`@unchecked Sendable`): the slots are made once; each is atomic.
final class TemplateTelemetry: @unchecked Sendable {
    let route: String
    private let instruments: HTTPInstruments
    private let slots: UnsafeMutablePointer<AtomicLazyReference<RouteTelemetry>>

    private static let slotCount = MethodLabel.allCases.count

    init(route: String, instruments: HTTPInstruments) {
        self.route = route
        self.instruments = instruments
        slots = .allocate(capacity: Self.slotCount)
        for index in 0..<Self.slotCount { (slots + index).initialize(to: AtomicLazyReference()) }
    }

    deinit {
        slots.deinitialize(count: Self.slotCount)
        slots.deallocate()
    }

    @inline(__always)
    func method(_ method: MethodLabel) -> RouteTelemetry {
        slots[method.rawValue].load() ?? make(method)
    }

    private func make(_ method: MethodLabel) -> RouteTelemetry {
        slots[method.rawValue].storeIfNil(RouteTelemetry(route: route, method: method, instruments: instruments))
    }
}

/// The series of one method on one template: an array by status code, read without a lock.
///
/// Safety (`@unchecked Sendable`): the slots are made once; each is atomic.
final class RouteTelemetry: @unchecked Sendable {
    /// The series of one outcome.
    final class Outcome: Sendable {
        let requests: CounterSeries
        let duration: HistogramSeries
        /// What the access-log line says.
        let message: String
        /// What all spans of it say.
        let attributes: PreparedAttributes
        /// The `error.type` of an answer that says itself what was wrong: its status, from 500 on.
        let errorType: String?
        /// That of an HTTP/1.1 request with this error type.
        private let usualServerDuration: HistogramSeries
        private let serverDurations: HistogramFamily
        private let method: String
        /// Empty when no route matched.
        private let route: String
        /// Empty when no status was sent.
        private let code: String

        init(route: String, method: MethodLabel, status: Int, instruments: HTTPInstruments) {
            let code = "\(status)"
            message = "\(method.name) \(route) \(code)"
            errorType = status >= 500 ? code : nil
            self.method = method.name
            self.route = route == HTTPTelemetry.unmatchedRoute ? "" : route
            // Nobody was there to be sent this one.
            self.code = status == HTTPTelemetry.clientClosedRequest ? "" : code
            var attributes = [
                Attribute(.httpRequestMethod, .string(method.name)), Attribute(.urlScheme, .string("http")),
                Attribute(.protocolVersion, .string(HTTPTelemetry.usualVersion)),
            ]
            if !self.route.isEmpty { attributes.append(Attribute(.httpRoute, .string(route))) }
            if !self.code.isEmpty { attributes.append(Attribute(.httpResponseStatusCode, .int(status))) }
            self.attributes = PreparedAttributes(attributes, for: instruments.tracer)
            requests = instruments.requests.series(instruments.service, method.name, route, code)
            duration = instruments.durations.series(instruments.service, method.name, route, code)
            serverDurations = instruments.serverDurations
            usualServerDuration = serverDurations.series(
                self.method, self.route, self.code, "http", errorType ?? "", HTTPTelemetry.usualVersion)
        }

        /// The series of the stable name. Only what is unusual is looked up: an error with a type of its own, HTTP/1.0.
        @inline(__always)
        func serverDuration(errorType: String?, minorVersion: Int) -> HistogramSeries {
            if errorType == self.errorType, minorVersion == 1 { return usualServerDuration }
            return findServerDuration(errorType, minorVersion)
        }

        @inline(never)
        private func findServerDuration(_ errorType: String?, _ minorVersion: Int) -> HistogramSeries {
            serverDurations.series(
                method, route, code, "http", errorType ?? "", HTTPTelemetry.version(minor: minorVersion))
        }
    }

    let route: String
    let method: MethodLabel
    /// `GET /orders/{id}`; the method alone when no route matched.
    let spanName: String
    let requestSize: HistogramSeries
    let responseSize: HistogramSeries
    private let instruments: HTTPInstruments
    /// The outcome of almost every request.
    private let ok: Outcome
    private let slots: UnsafeMutablePointer<AtomicLazyReference<Outcome>>

    private static let statuses = 100...599

    init(route: String, method: MethodLabel, instruments: HTTPInstruments) {
        self.route = route
        self.method = method
        self.instruments = instruments
        spanName = route == HTTPTelemetry.unmatchedRoute ? method.spanName : "\(method.spanName) \(route)"
        requestSize = instruments.requestSizes.series(instruments.service, method.name, route)
        responseSize = instruments.responseSizes.series(instruments.service, method.name, route)
        ok = Outcome(route: route, method: method, status: 200, instruments: instruments)
        slots = .allocate(capacity: Self.statuses.count)
        for index in 0..<Self.statuses.count { (slots + index).initialize(to: AtomicLazyReference()) }
    }

    deinit {
        slots.deinitialize(count: Self.statuses.count)
        slots.deallocate()
    }

    @inline(__always)
    func outcome(_ status: Int) -> Outcome {
        if status == 200 { return ok }
        let index = min(max(status, Self.statuses.lowerBound), Self.statuses.upperBound) &- Self.statuses.lowerBound
        return slots[index].load() ?? make(index)
    }

    private func make(_ index: Int) -> Outcome {
        slots[index].storeIfNil(
            Outcome(
                route: route, method: method, status: index + Self.statuses.lowerBound, instruments: instruments))
    }

    /// Shows the usual outcomes at zero from the first scrape, so that the first failure is a rise, not a new series.
    func showUsualOutcomes(_ access: Access) {
        // 503 and 504: what the service needs does not answer, or not in time; 499: the client did not wait.
        var statuses = [200, 422, HTTPTelemetry.clientClosedRequest, 500, 503, 504]
        switch method {
        case .post: statuses += [201, 204, 400, 409, 413]
        case .put, .patch: statuses += [204, 400, 409, 413]
        case .delete: statuses.append(204)
        default: break
        }
        // A path that names something may name nothing that is there.
        if route.contains("{") { statuses.append(404) }
        switch access {
        case .open: break
        case .user: statuses.append(401)
        case .roles, .service, .permission: statuses += [401, 403]
        }
        for status in statuses {
            _ = instruments.requests.series(instruments.service, method.name, route, "\(status)")
        }
    }
}
