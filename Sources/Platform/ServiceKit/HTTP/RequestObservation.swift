internal import HTTP
internal import Telemetry

/// A request under way, and what is known of it at its end: told once, it ends the span, counts, measures and writes
/// the access-log line from the same values.
///
/// Safety (`@unchecked Sendable`): belongs to the task of the request, then to the body that tells its end.
final class RequestObservation: @unchecked Sendable {
    let span: Span
    let context: TelemetryContext
    let route: RouteTelemetry
    let isQuiet: Bool
    let target: String
    let clientAddress: String
    /// Bytes of the request's body, when they were known beforehand.
    let requestBytes: Int?
    /// Of HTTP/1.
    let minorVersion: Int
    private let startNanoseconds: UInt64

    var userID: String?
    var status = 500
    var responseBytes = 0
    /// Why it failed, when it did: a fixed word.
    var errorType: String?
    /// Whether the client went away before the end of the answer: the access log says so, but no error is ours then.
    var isClientGone = false

    init(
        span: Span, context: TelemetryContext, route: RouteTelemetry, isQuiet: Bool, target: String,
        clientAddress: String, requestBytes: Int?, minorVersion: Int, startNanoseconds: UInt64
    ) {
        self.span = span
        self.context = context
        self.route = route
        self.isQuiet = isQuiet
        self.target = target
        self.clientAddress = clientAddress
        self.requestBytes = requestBytes
        self.minorVersion = minorVersion
        self.startNanoseconds = startNanoseconds
    }

    /// Tells of the request; the owner calls it once, while the request's context is current.
    func finish(_ instruments: HTTPInstruments, _ logger: Logger) {
        instruments.inFlight.add(-1)
        let path = Self.path(target)
        let outcome = route.outcome(status)
        let failure = failure(outcome)
        let nanoseconds = endSpan(path, outcome, failure)
        let seconds = Double(nanoseconds) / 1e9
        outcome.requests.increment()
        outcome.duration.record(seconds, exemplar: span.context)
        outcome.serverDuration(errorType: failure, minorVersion: minorVersion).record(seconds, exemplar: span.context)
        if let requestBytes { route.requestSize.record(Double(requestBytes)) }
        route.responseSize.record(Double(responseBytes))
        logger.log(
            isQuiet ? HTTPTelemetry.quietRequest : HTTPTelemetry.request, outcome.message, fields(path, nanoseconds))
        if let details = context.details {
            logger.finishDetails(details, hasFailed: status >= 500, durationNanoseconds: nanoseconds)
        }
    }

    private static func path(_ target: String) -> String {
        guard let end = HTTPRequest.queryMark(in: target) else { return target }
        return String(target[..<end])
    }

    /// The `error.type` of span and metric.
    private func failure(_ outcome: RouteTelemetry.Outcome) -> String? {
        isClientGone ? outcome.errorType : errorType ?? outcome.errorType
    }

    /// - Returns: the duration, which is the span's own when there is one.
    private func endSpan(_ path: String, _ outcome: RouteTelemetry.Outcome, _ failure: String?) -> UInt64 {
        guard span.isRecording else {
            span.end()
            return TelemetryClock.system.monotonicNanoseconds() - startNanoseconds
        }
        span.set(outcome.attributes)
        span.set(.urlPath, path)
        span.set(.clientAddress, clientAddress)
        if let userID { span.set(.userID, userID) }
        if minorVersion != 1 { span.set(.protocolVersion, HTTPTelemetry.version(minor: minorVersion)) }
        if let failure { span.recordError(type: failure) }
        span.end()
        return span.durationNanoseconds
    }

    private func fields(_ path: String, _ nanoseconds: UInt64) -> [Attribute] {
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
        if let errorType = isClientGone ? HTTPTelemetry.disconnected : errorType {
            fields.append(Attribute(.errorType, .string(errorType)))
        }
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
