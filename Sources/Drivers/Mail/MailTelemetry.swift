package import Telemetry

/// What sending mail tells of itself.
package struct MailTelemetry: Sendable {
    package static let sent = Counter(
        "mail_sent_total", help: "Messages handed to the mail server or folder, by how that ended.",
        labels: ["outcome"])
    package static let duration = Histogram(
        "mail_send_duration_seconds", unit: .seconds, help: "Duration of handing over one message.")

    /// Every metric that sending mail emits.
    package static let metrics: [MetricDeclaration] = [sent.declaration, duration.declaration]

    /// Every name that sending mail emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "send mail", kind: .client, help: "One message being handed to the mail server or folder.",
                attributes: [.serverAddress, .serverPort])
        ])

    private let tracer: Tracer
    private let success: CounterSeries
    private let invalid: CounterSeries
    private let failed: CounterSeries
    private let duration: HistogramSeries
    private let clock = TelemetryClock.system

    init(_ telemetry: Telemetry) {
        tracer = telemetry.tracer
        let sent = telemetry.metrics.counter(Self.sent)
        success = sent.series("success")
        invalid = sent.series("invalid")
        failed = sent.series("error")
        duration = telemetry.metrics.histogram(Self.duration).series()
    }

    /// Runs `send` within a CLIENT span. Neither the span nor the metrics know who the message is for.
    func observe(_ destination: MailDestination, _ send: () async throws -> Void) async throws {
        let span = tracer.startSpan("send mail", kind: .client)
        span.set(.serverAddress, destination.host)
        if let port = destination.port { span.set(.serverPort, port) }
        let start = clock.monotonicNanoseconds()
        defer {
            duration.record(Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            try await send()
            success.increment()
        } catch let error as MailError {
            switch error {
            case .invalidMessage:
                invalid.increment()
                span.recordError(type: "invalid_message")
            case .transport(let what):
                failed.increment()
                span.recordError(type: "transport", description: what)
            }
            throw error
        } catch {
            failed.increment()
            span.recordError(type: ErrorType.name(of: error))
            throw error
        }
    }
}
