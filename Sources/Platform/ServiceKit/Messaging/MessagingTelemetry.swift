package import Telemetry

/// What outbox and inbox tell of themselves.
package struct MessagingTelemetry: Sendable {
    package static let pending = Gauge("outbox_pending_messages", help: "Events that wait to be published.")
    package static let oldest = Gauge(
        "outbox_oldest_message_age_seconds", unit: .seconds, help: "Age of the oldest event that waits.")
    package static let published = Counter(
        "outbox_published_total", help: "Events published and confirmed.", labels: ["type"])
    package static let failures = Counter(
        "outbox_publish_failures_total", help: "Attempts to publish that failed; the event waits.", labels: ["type"])
    package static let unroutable = Counter(
        "outbox_unroutable_total", help: "Events published that no queue takes.", labels: ["type"])
    package static let duplicates = Counter(
        "inbox_duplicates_total", help: "Messages that had been handled before.", labels: ["event"])
    package static let retries = Counter(
        "message_retries_total", help: "Messages put back to be handled later.", labels: ["event"])
    package static let deadLetters = Counter(
        "message_dead_letters_total", help: "Messages given up.", labels: ["event"])

    package static let handlerFailed = LogEvent(
        "message.failed", level: .warn, help: "A handler failed; the message is tried again.")
    package static let deadLettered = LogEvent(
        "message.dead_lettered", level: .error, help: "A message was given up and lies in the dead-letter queue.")
    package static let relayFailed = LogEvent(
        "outbox.relay_failed", level: .warn, help: "Events could not be published; they wait.")

    /// Every name that messaging emits.
    package static let declarations = TelemetryDeclarations(
        metrics: [
            pending.declaration, oldest.declaration, published.declaration, failures.declaration,
            unroutable.declaration, duplicates.declaration, retries.declaration, deadLetters.declaration,
        ], events: [handlerFailed, deadLettered, relayFailed],
        fields: [messageIDLabel, queueLabel, subjectLabel])

    static let messageIDLabel = AttributeKey("labels.message_id")
    static let queueLabel = AttributeKey("labels.queue")
    static let subjectLabel = AttributeKey("labels.subject")

    let logger: Logger
    let pending: GaugeSeries
    let oldest: GaugeSeries
    let published: CounterFamily
    let failures: CounterFamily
    let unroutable: CounterFamily
    let duplicates: CounterFamily
    let retries: CounterFamily
    let deadLetters: CounterFamily

    init(_ telemetry: Telemetry) {
        let metrics = telemetry.metrics
        logger = telemetry.logger.named("messaging")
        pending = metrics.gauge(Self.pending).series()
        oldest = metrics.gauge(Self.oldest).series()
        published = metrics.counter(Self.published)
        failures = metrics.counter(Self.failures)
        unroutable = metrics.counter(Self.unroutable)
        duplicates = metrics.counter(Self.duplicates)
        retries = metrics.counter(Self.retries)
        deadLetters = metrics.counter(Self.deadLetters)
    }

    /// Makes the series of a consumed event exist from the first scrape.
    func expect(_ event: String) {
        for family in [duplicates, retries, deadLetters] { _ = family.series(event) }
    }
}
