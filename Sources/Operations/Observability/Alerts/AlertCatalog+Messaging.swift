internal import AMQP
internal import ServiceKit
internal import Telemetry

/// Alerts on the way of events: outbox, broker, queues, consumers, dead letters.
extension AlertCatalog {
    /// Queues that services consume; not those in which messages wait to be tried again, or lie given up.
    private static let consumed = Match.matching(
        ".+-service\\.[a-z_]+(\\.[a-z_]+)?", example: "orders-service.order.processed",
        counterExample: "order.created.failed")

    var messagingAlerts: [AlertRule] { broker + outbox + consumers }

    private var broker: [AlertRule] {
        [
            AlertRule(
                "BrokerDisconnected", .page, .platform, .critical,
                when: .isZero(AMQPTelemetry.connected.series, by: ["job"]), for: time.minutes(1), as: .count,
                summary: "{{ $labels.job }} has no connection to the broker",
                impact: "Orders are accepted but not decided: events wait in the outbox until the broker is back.",
                dashboard: RabbitMQDashboard.uid),
            AlertRule(
                "QueueBacklog", .page, .platform, .high,
                when: .highest(
                    ExternalMetrics.RabbitMQ.messages.where("queue", Self.consumed), by: ["queue"], above: 1_000),
                for: time.minutes(5), as: .count, summary: "more than 1000 messages wait in {{ $labels.queue }}",
                impact: "Orders take long to be decided, or customers to be told.", dashboard: RabbitMQDashboard.uid),
            AlertRule(
                "QueueWithoutConsumer", .page, .platform, .critical,
                when: .isZero(ExternalMetrics.RabbitMQ.consumers.where("queue", Self.consumed), by: ["queue"]),
                for: time.minutes(2), as: .count, summary: "nobody consumes {{ $labels.queue }}",
                impact: "Its events wait for ever: orders stay undecided or customers untold.",
                dashboard: RabbitMQDashboard.uid),
        ]
    }

    private var outbox: [AlertRule] {
        [
            AlertRule(
                "OutboxStale", .page, .platform, .critical,
                when: .highest(MessagingTelemetry.oldest.series, by: ["job"], above: 60), for: time.minutes(1),
                as: .seconds, summary: "an event of {{ $labels.job }} waits for more than a minute to be published",
                impact: "What happened in this service is not known to the others: orders stay undecided.",
                dashboard: RabbitMQDashboard.uid),
            AlertRule(
                "OutboxBacklog", .ticket, .platform, .high,
                when: .highest(MessagingTelemetry.pending.series, by: ["job"], above: 1_000), for: time.minutes(5),
                as: .count, summary: "more than 1000 events of {{ $labels.job }} wait to be published",
                impact: "Everything that follows from these events comes late.", dashboard: RabbitMQDashboard.uid),
            AlertRule(
                "OutboxPublishFailing", .ticket, .platform, .high,
                when: .happened(MessagingTelemetry.failures.series, by: ["job", "type"], over: time.minutes(5)),
                for: time.minutes(5), as: .count, summary: "{{ $labels.job }} cannot publish {{ $labels.type }}",
                impact: "These events come late; the relay goes on trying.", dashboard: RabbitMQDashboard.uid),
        ]
    }

    private var consumers: [AlertRule] {
        [
            AlertRule(
                "DeadLetters", .page, .platform, .high,
                when: .happened(MessagingTelemetry.deadLetters.series, by: ["job", "event"], over: time.minutes(10)),
                for: time.minutes(0), as: .count, summary: "{{ $labels.job }} gave up a {{ $labels.event }}",
                impact: "One order or letter is stuck until somebody looks at the message and replays it.",
                dashboard: RabbitMQDashboard.uid),
            AlertRule(
                "MessagesRetried", .ticket, .platform, .normal,
                when: .rate(
                    of: MessagingTelemetry.retries.series, by: ["job", "event"], above: 1, over: time.minutes(5)),
                for: time.minutes(5), as: .perSecond,
                summary: "{{ $labels.job }} puts {{ $labels.event }} back more than once a second",
                impact: "Orders come late; after five attempts messages are given up.",
                dashboard: RabbitMQDashboard.uid),
        ]
    }
}
