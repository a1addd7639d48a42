package import Telemetry

/// What sending to Telegram tells of itself.
package struct TelegramTelemetry: Sendable {
    package static let sent = Counter(
        "telegram_messages_total", help: "Texts handed to Telegram, by how that ended.", labels: ["outcome"])
    package static let duration = Histogram(
        "telegram_send_duration_seconds", unit: .seconds, help: "Duration of handing over one text.")

    /// Every name that sending to Telegram emits.
    package static let declarations = TelemetryDeclarations(
        metrics: [sent.declaration, duration.declaration],
        spans: [
            SpanDeclaration(
                "send telegram message", kind: .client, help: "One text being handed to Telegram's Bot API.",
                attributes: [.serverAddress])
        ])

    private let tracer: Tracer
    private let outcomes: CounterFamily
    private let duration: HistogramSeries
    private let clock = TelemetryClock.system

    init(_ telemetry: Telemetry) {
        tracer = telemetry.tracer
        outcomes = telemetry.metrics.counter(Self.sent)
        for outcome in ["success", "limited", "refused", "unavailable"] { _ = outcomes.series(outcome) }
        duration = telemetry.metrics.histogram(Self.duration).series()
    }

    /// Runs `send` within a CLIENT span. Neither the span nor the metrics know the text, the chat or the token.
    func observe(_ host: String, _ send: () async throws -> Void) async throws {
        let span = tracer.startSpan("send telegram message", kind: .client)
        span.set(.serverAddress, host)
        let start = clock.monotonicNanoseconds()
        defer {
            duration.record(Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            try await send()
            outcomes.series("success").increment()
        } catch {
            let type = (error as? TelegramError)?.errorType ?? "unavailable"
            outcomes.series(type).increment()
            span.recordError(type: type)
            throw error
        }
    }
}
