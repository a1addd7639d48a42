internal import HTTP
internal import Synchronization
internal import Telemetry

/// A request under way, and what is known of it at its end: taken once, it ends the span, counts, measures and writes
/// the access-log line from the same values.
///
/// Safety (`@unchecked Sendable`): `status`, `responseBytes` and the other variables are changed by the task that owns
/// the request only; `isFinished` decides who may finish it.
final class RequestObservation: @unchecked Sendable {
    let span: Span
    let context: TelemetryContext
    private let route: RouteTelemetry
    private let isQuiet: Bool
    private let telemetry: Telemetry
    private let instruments: HTTPInstruments
    private let path: String
    private let clientAddress: String
    private let requestBytes: Int?
    private let startNanoseconds: UInt64
    private let isFinished = Atomic<Bool>(false)

    var userID: String?
    var status = 500
    var responseBytes = 0
    /// Why it failed, when it did: a fixed word.
    var errorType: String?

    init(
        span: Span, context: TelemetryContext, route: RouteTelemetry, isQuiet: Bool, telemetry: Telemetry,
        instruments: HTTPInstruments, path: String, clientAddress: String, requestBytes: Int?
    ) {
        self.span = span
        self.context = context
        self.route = route
        self.isQuiet = isQuiet
        self.telemetry = telemetry
        self.instruments = instruments
        self.path = path
        self.clientAddress = clientAddress
        self.requestBytes = requestBytes
        startNanoseconds = TelemetryClock.system.monotonicNanoseconds()
        instruments.inFlight.add(1)
    }

    /// Whether the request has been told of.
    var isOver: Bool { isFinished.load(ordering: .acquiring) }

    /// Tells of the request once; later calls do nothing. The request's context must be current.
    func finish() {
        guard !isFinished.exchange(true, ordering: .acquiringAndReleasing) else { return }
        instruments.inFlight.add(-1)
        let nanoseconds = endSpan()
        let seconds = Double(nanoseconds) / 1e9
        let outcome = route.outcome(status)
        outcome.requests.increment()
        outcome.duration.record(seconds, exemplar: span.context)
        outcome.serverDuration.record(seconds)
        if let requestBytes { route.requestSize.record(Double(requestBytes)) }
        route.responseSize.record(Double(responseBytes))
        log(nanoseconds)
    }

    /// - Returns: the duration, which is the span's own when there is one.
    private func endSpan() -> UInt64 {
        let spent = TelemetryClock.system.monotonicNanoseconds() - startNanoseconds
        guard span.isRecording else {
            span.end()
            return spent
        }
        span.set(.httpRequestMethod, route.method.name)
        span.set(.httpRoute, route.route)
        span.set(.urlPath, path)
        span.set(.urlScheme, "http")
        span.set(.clientAddress, clientAddress)
        span.set(.httpResponseStatusCode, status)
        if let userID { span.set(.userID, userID) }
        if status >= 500 {
            span.recordError(type: errorType ?? "\(status)")
        } else if let errorType {
            span.set(.errorType, errorType)
        }
        span.end()
        return span.durationNanoseconds
    }

    private func log(_ nanoseconds: UInt64) {
        telemetry.logger.log(
            isQuiet ? HTTPTelemetry.quietRequest : HTTPTelemetry.request,
            "\(route.method.name) \(route.route) \(status)", fields(nanoseconds))
    }

    private func fields(_ nanoseconds: UInt64) -> [Attribute] {
        var fields: [Attribute] = []
        fields.reserveCapacity(9)
        fields.append(Attribute(.httpRequestMethod, .string(route.method.name)))
        fields.append(Attribute(.urlPath, .string(path)))
        fields.append(Attribute(.routeLabel, .string(route.route)))
        fields.append(Attribute(.httpResponseStatusCode, .int(status)))
        fields.append(Attribute(.responseBytes, .int(responseBytes)))
        fields.append(Attribute(.eventDuration, .int(Int(nanoseconds))))
        fields.append(Attribute(.clientAddress, .string(clientAddress)))
        if let userID { fields.append(Attribute(.userID, .string(userID))) }
        if let errorType { fields.append(Attribute(.errorType, .string(errorType))) }
        return fields
    }
}

extension AttributeKey {
    static let httpRoute = AttributeKey("http.route")
    static let routeLabel = AttributeKey("labels.http_route")
    static let urlPath = AttributeKey("url.path")
    static let urlScheme = AttributeKey("url.scheme")
    static let clientAddress = AttributeKey("client.address")
    static let userID = AttributeKey("user.id")
    static let eventDuration = AttributeKey("event.duration")
    static let responseBytes = AttributeKey("http.response.body.bytes")
    static let errorMessage = AttributeKey("error.message")
    static let reasonLabel = AttributeKey("labels.reason")
}
