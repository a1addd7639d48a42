internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import Telemetry
internal import TelemetrySDK

/// One collector as HTTP sees it: a message goes there, and what became of it comes back.
struct CollectorClient: Sendable {
    /// OTLP: a client reads at most this much of a response.
    private static let maxResponseBytes = 4 * 1024 * 1024
    private static let userAgent = "Vitrine/\(SDKVersion.current) OTel-OTLP-Exporter-Swift/\(SDKVersion.current)"

    private let target: OTLPTarget
    private let client: HTTPClient
    private let instruments: OTLPInstruments
    private let clock = TelemetryClock.system

    init(_ target: OTLPTarget, group: EventLoopGroup, instruments: OTLPInstruments) {
        self.target = target
        self.instruments = instruments
        var settings = HTTPClient.Configuration()
        settings.requestTimeoutMilliseconds = target.timeoutMilliseconds
        settings.maxResponseBytes = Self.maxResponseBytes
        settings.maxConnectionsPerHostAndLoop = 1
        settings.tls = target.tls
        // A handshake takes several ways there and back.
        if target.tls != nil { settings.connectTimeoutMilliseconds = target.timeoutMilliseconds }
        client = HTTPClient(configuration: settings, group: group, telemetry: nil)
    }

    func shutdown() async { await client.shutdown() }

    /// Sends a message, once.
    func send(_ message: OTLPMessage) async -> ExportOutcome {
        var headers = HTTPFields()
        for (name, value) in target.headers { headers.set(name, value) }
        headers.set("Content-Type", message.format.contentType)
        headers.set("User-Agent", Self.userAgent)
        if message.format.isCompressed { headers.set("Content-Encoding", "gzip") }
        let request = HTTPRequest(
            method: .post, target: target.endpoint.target, headers: headers, body: .bytes(message.body))
        let start = clock.monotonicNanoseconds()
        let outcome: ExportOutcome
        var status = ""
        do {
            let response = try await client.send(
                request, to: target.endpoint.origin, timeoutMilliseconds: target.timeoutMilliseconds)
            status = String(response.status.code)
            let body = (try? await response.body.collect(upTo: Self.maxResponseBytes)) ?? []
            outcome = ExportOutcome(
                status: response.status.code, retryAfter: response.headers["retry-after"], body: body,
                isJSON: message.format.isJSON)
        } catch let error as HTTPClientError {
            outcome = ExportOutcome(error)
        } catch {
            outcome = .retry(errorType: ErrorType.name(of: error), retryAfter: nil)
        }
        instruments.took(
            seconds: Double(clock.monotonicNanoseconds() - start) / 1e9, status: status, errorType: outcome.errorType)
        return outcome
    }
}
