internal import AMQP
internal import ServiceKit
internal import Telemetry

/// RabbitMQ: queues, consumers and the node itself, and the way from outbox to handler as the services see it.
struct RabbitMQDashboard {
    static let uid = "vitrine-rabbitmq"

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · RabbitMQ", "Queues, consumers, outboxes, dead letters.", tags: ["data"],
            rows: [clients, queues, node])
    }

    private var clients: Dashboard.Row {
        Dashboard.Row(
            "Services",
            [
                .stacked(
                    "published", .operations,
                    [.init(MessagingTelemetry.published.series.rate(.panel).sum(by: "type"), "{{type}}")]),
                .stacked(
                    "consumed", .operations,
                    [
                        .init(
                            AMQPTelemetry.consumed.series.rate(.panel).sum(by: "messaging_destination_name", "outcome"),
                            "{{messaging_destination_name}} {{outcome}}")
                    ]),
                .lines(
                    "publishing, 95th percentile", .seconds,
                    [
                        .init(
                            AMQPTelemetry.operationDuration.buckets.rate(.panel).sum(by: "job", "le").quantile(0.95),
                            "{{job}}", exemplars: true)
                    ]),
                .lines(
                    "oldest event in each outbox", .seconds,
                    [.init(MessagingTelemetry.oldest.series.now.max(by: "job"), "{{job}}")], thresholds: (10, 60),
                    alert: "OutboxStale"),
                .lines(
                    "events in each outbox", .none,
                    [.init(MessagingTelemetry.pending.series.now.sum(by: "job"), "{{job}}")], alert: "OutboxBacklog"),
                .lines(
                    "retried and given up", .operations,
                    [
                        .init(
                            MessagingTelemetry.retries.series.rate(.panel).sum(by: "job", "event"),
                            "retried {{job}} {{event}}"),
                        .init(
                            MessagingTelemetry.deadLetters.series.rate(.panel).sum(by: "job", "event"),
                            "given up {{job}} {{event}}"),
                    ], alert: "DeadLetters"),
                .lines(
                    "connected", .upDown, [.init(AMQPTelemetry.connected.series.now.min(by: "job"), "{{job}}")],
                    alert: "BrokerDisconnected"),
                .lines(
                    "unroutable", .operations,
                    [.init(MessagingTelemetry.unroutable.series.rate(.panel).sum(by: "type"), "{{type}}")]),
                .lines(
                    "not published", .operations,
                    [.init(MessagingTelemetry.failures.series.rate(.panel).sum(by: "job", "type"), "{{job}} {{type}}")],
                    alert: "OutboxPublishFailing"),
            ])
    }

    private var queues: Dashboard.Row {
        typealias Broker = ExternalMetrics.RabbitMQ
        return Dashboard.Row(
            "Queues",
            [
                .lines(
                    "messages", .none, [.init(Broker.messages.now.sum(by: "queue").largest(20), "{{queue}}")],
                    thresholds: (500, 1_000), alert: "QueueBacklog"),
                .lines(
                    "ready", .none, [.init(Broker.ready.now.sum(by: "queue").largest(20), "{{queue}}")]),
                .lines(
                    "not acknowledged", .none,
                    [.init(Broker.unacknowledged.now.sum(by: "queue").largest(20), "{{queue}}")]),
                .table(
                    "consumers", .none, Broker.consumers.now.sum(by: "queue"), width: 24,
                    help: "Queues for retries and dead letters rightly have none."),
            ])
    }

    private var node: Dashboard.Row {
        typealias Broker = ExternalMetrics.RabbitMQ
        return Dashboard.Row(
            "Node",
            [
                .lines("connections", .none, [.init(Broker.connections.now.sum(by: "instance"), "{{instance}}")]),
                .lines(
                    "memory", .bytes,
                    [
                        .init(Broker.memory.now.max(by: "instance"), "used {{instance}}"),
                        .init(Broker.memoryLimit.now.max(by: "instance"), "allowed {{instance}}"),
                    ]),
                .lines(
                    "disk", .bytes,
                    [
                        .init(Broker.diskAvailable.now.min(by: "instance"), "free {{instance}}"),
                        .init(Broker.diskLimit.now.max(by: "instance"), "must stay free {{instance}}"),
                    ]),
            ])
    }
}
