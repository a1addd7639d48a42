internal import HTTPCodec
package import Telemetry

/// What the client tells of itself: one span and one measurement for every attempt (OpenTelemetry HTTP conventions,
/// stable).
package struct HTTPClientTelemetry: Sendable {
    package static let requestDuration = Histogram(
        "http_client_request_duration_seconds", unit: .seconds,
        help: "Duration of HTTP requests to other services, until the head of the answer.",
        labels: ["method", "server_address", "server_port", "status", "error_type"])

    /// Every metric that the HTTP client emits.
    package static let metrics: [MetricDeclaration] = [requestDuration.declaration]

    private let tracer: Tracer
    private let durations: HistogramFamily
    private let clock = TelemetryClock.system

    init(_ telemetry: Telemetry) {
        tracer = telemetry.tracer
        durations = telemetry.metrics.histogram(Self.requestDuration)
    }

    /// Sends within a span; the context goes into the request's fields.
    func observe(
        _ request: inout HTTPRequest, _ host: HTTPHost, _ template: String?, timeoutMilliseconds: Int,
        _ send: (HTTPRequest) async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        let method = Self.known(request.method)
        let span = tracer.startSpan(template.map { "\(method) \($0)" } ?? method, kind: .client)
        let context = TelemetryContext.current.entering(span.context)
        Propagation.inject(context) { name, value in request.headers.set(name, value) }
        request.headers.set("x-request-deadline", "\(timeoutMilliseconds)")
        if span.isRecording {
            span.set(.httpRequestMethod, method)
            span.set(.serverAddress, host.name)
            span.set(.serverPort, host.port)
            if let template { span.set(.urlTemplate, template) }
        }
        let start = clock.monotonicNanoseconds()
        var status = ""
        var errorType = ""
        defer {
            let seconds = Double(clock.monotonicNanoseconds() - start) / 1e9
            durations.series(method, host.name, "\(host.port)", status, errorType).record(
                seconds, exemplar: span.context)
            span.end()
        }
        do {
            let response = try await send(request)
            status = "\(response.status.code)"
            span.set(.httpResponseStatusCode, response.status.code)
            // A client calls 4xx an error too (HTTP spans, status).
            if response.status.code >= 400 {
                errorType = status
                span.recordError(type: status)
            }
            return response
        } catch {
            errorType = (error as? HTTPClientError)?.type ?? "\(type(of: error))"
            span.recordError(type: errorType)
            throw error
        }
    }

    private static func known(_ method: HTTPMethod) -> String {
        if case .other = method { return "_OTHER" }
        return method.name
    }
}

extension AttributeKey {
    package static let httpRequestMethod = AttributeKey("http.request.method")
    package static let httpResponseStatusCode = AttributeKey("http.response.status_code")
    package static let urlTemplate = AttributeKey("url.template")
}
