internal import HTTPCodec
package import Telemetry

/// What the client tells about its requests (OpenTelemetry semantic conventions for HTTP clients, stable parts).
package enum HTTPClientTelemetry {
    package static let requestDuration = Histogram(
        "http_client_request_duration_seconds", unit: .seconds,
        help: "Duration of requests to other services, by attempt, to the end of the response.",
        labels: ["http_request_method", "server_address", "server_port", "http_response_status_code", "error_type"])

    /// Every metric that the HTTP client emits.
    package static let metrics: [MetricDeclaration] = [requestDuration.declaration]
}

extension AttributeKey {
    package static let httpRequestMethod = AttributeKey("http.request.method")
    package static let requestMethodOriginal = AttributeKey("http.request.method_original")
    static let resendCount = AttributeKey("http.request.resend_count")
    package static let httpResponseStatusCode = AttributeKey("http.response.status_code")
    static let urlFull = AttributeKey("url.full")
    package static let urlTemplate = AttributeKey("url.template")
    package static let protocolVersion = AttributeKey("network.protocol.version")
}

/// The series of one peer on one loop, looked up once for each outcome. Confined to its loop.
final class HTTPClientSeries {
    private struct Outcome: Hashable {
        var method: HTTPMethod
        var status: Int
        var errorType: String
    }

    private let family: HistogramFamily
    private let endpoint: HTTPEndpoint
    private let tracer: Tracer
    private var known: [Outcome: HistogramSeries] = [:]
    /// Most requests end as the one before.
    private var last: (outcome: Outcome, series: HistogramSeries)?
    private var routes: [(method: HTTPMethod, template: String?, route: Route)] = []

    /// Methods and statuses come from our own code and from peers: the latter must not fill memory.
    private static let maxKnown = 256
    /// Routes that are kept; a peer has about so many.
    private static let maxRoutes = 32

    /// What all spans of a method and a template are told.
    final class Route {
        /// `GET /products/{id}`, or the method alone.
        let name: String
        let attributes: PreparedAttributes

        init(name: String, attributes: PreparedAttributes) {
            self.name = name
            self.attributes = attributes
        }
    }

    init(_ telemetry: Telemetry, _ endpoint: HTTPEndpoint) {
        family = telemetry.metrics.histogram(HTTPClientTelemetry.requestDuration)
        self.endpoint = endpoint
        tracer = telemetry.tracer
    }

    func series(_ method: HTTPMethod, status: Int, errorType: String) -> HistogramSeries {
        let outcome = Outcome(method: method, status: status, errorType: errorType)
        if let last, last.outcome == outcome { return last.series }
        let series = findSeries(outcome)
        last = (outcome, series)
        return series
    }

    private func findSeries(_ outcome: Outcome) -> HistogramSeries {
        if let series = known[outcome] { return series }
        let series = family.series(
            outcome.method.knownName, endpoint.host, String(endpoint.port),
            outcome.status == 0 ? "" : String(outcome.status), outcome.errorType)
        if known.count >= Self.maxKnown { known.removeAll() }
        known[outcome] = series
        return series
    }

    func route(_ method: HTTPMethod, template: String?) -> Route {
        for known in routes where known.method == method && known.template == template { return known.route }
        var attributes = [
            Attribute(.httpRequestMethod, .string(method.knownName)), Attribute(.serverAddress, .string(endpoint.host)),
            Attribute(.serverPort, .int(endpoint.port)),
        ]
        if let template { attributes.append(Attribute(.urlTemplate, .string(template))) }
        if case .other(let name) = method { attributes.append(Attribute(.requestMethodOriginal, .string(name))) }
        let route = Route(
            name: template.map { "\(method.spanName) \($0)" } ?? method.spanName,
            attributes: PreparedAttributes(attributes, for: tracer))
        if routes.count >= Self.maxRoutes { routes.removeAll() }
        routes.append((method, template, route))
        return route
    }
}

extension HTTPMethod {
    /// The name that telemetry uses: `_OTHER` for a method that HTTP does not define.
    var knownName: String { if case .other = self { "_OTHER" } else { name } }
    /// What a span's name begins with.
    fileprivate var spanName: String { if case .other = self { "HTTP" } else { name } }
}

/// One attempt being timed: its span, and the metric that gets the same duration. Confined to its loop; ended once.
final class HTTPClientObservation {
    let span: Span
    private let method: HTTPMethod
    private let series: HTTPClientSeries
    private let startNanoseconds: UInt64
    private var status = 0
    private var isEnded = false

    init(
        telemetry: Telemetry, series: HTTPClientSeries, endpoint: HTTPEndpoint, request: HTTPRequest,
        urlTemplate: String?, resendCount: Int, parent: TelemetryContext
    ) {
        self.series = series
        method = request.method
        let route = series.route(request.method, template: urlTemplate)
        span = telemetry.tracer.startSpan(route.name, kind: .client, parent: parent)
        startNanoseconds = TelemetryClock.system.monotonicNanoseconds()
        guard span.isRecording else { return }
        span.set(route.attributes)
        span.set(.urlFull, URLRedaction.url(endpoint, request.target))
        if resendCount > 0 { span.set(.resendCount, resendCount) }
    }

    func responded(_ status: HTTPStatus, minorVersion: Int) {
        self.status = status.code
        guard span.isRecording else { return }
        span.set(.httpResponseStatusCode, status.code)
        span.set(.protocolVersion, minorVersion == 1 ? "1.1" : "1.0")
    }

    /// Ends with the response; 4xx and 5xx are errors of a client.
    func ended() { end(errorType: status >= 400 ? String(status) : nil) }

    /// Ends without one, or in its middle. Cancellation is the caller's wish, not an error.
    func failed(_ error: any Error) {
        end(errorType: error is CancellationError ? nil : ErrorType.name(of: error))
    }

    private func end(errorType: String?) {
        guard !isEnded else { return }
        isEnded = true
        if let errorType { span.recordError(type: errorType) }
        span.end()
        let nanoseconds = TelemetryClock.system.monotonicNanoseconds() &- startNanoseconds
        series.series(method, status: status, errorType: errorType ?? "")
            .record(Double(nanoseconds) / 1e9, exemplar: span.context)
    }
}

/// Takes secrets out of the queries of URLs before they are recorded; the span itself looks at the rest of them.
enum URLRedaction {
    static func url(_ endpoint: HTTPEndpoint, _ target: String) -> String {
        endpoint.url + self.target(target)
    }

    static func target(_ target: String) -> String {
        guard let mark = HTTPRequest.queryMark(in: target) else { return target }
        let query = target[target.index(after: mark)...]
        guard query.utf8.contains(UInt8(ascii: "=")) else { return target }
        let parameters = query.split(separator: "&", omittingEmptySubsequences: false)
        guard parameters.contains(where: { secretName(of: $0) != nil }) else { return target }
        return target[...mark]
            + parameters.map { parameter in
                guard let name = secretName(of: parameter) else { return String(parameter) }
                return name + "=REDACTED"
            }.joined(separator: "&")
    }

    /// The name of a parameter whose value is nobody's business: those that OpenTelemetry lists for `url.full` (of which
    /// `sig` is the only one that does not say so), and those that are hidden everywhere else.
    private static func secretName(of parameter: Substring) -> Substring? {
        guard let equals = parameter.firstIndex(of: "=") else { return nil }
        let name = parameter[..<equals]
        return name == "sig" || SensitiveNames.matches(String(name)) ? name : nil
    }
}
