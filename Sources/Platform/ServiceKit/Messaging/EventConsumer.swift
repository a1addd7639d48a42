internal import AMQP
internal import FoundationEssentials
internal import PostgreSQL
internal import Telemetry

/// Handles the deliveries of one queue: inbox and effects in one transaction, then the acknowledgement. What fails is
/// tried again later and later, and in the end given up.
struct EventConsumer: Sendable {
    let queue: String
    /// For metrics and dead letters.
    let event: String
    let broker: AMQPClient
    let database: PostgreSQLClient
    let telemetry: MessagingTelemetry
    let outbox: Outbox
    /// Decodes and handles; a `DecodingError` makes the message poison.
    let handler: @Sendable (AMQPMessage, MessageContext) async throws -> Void

    private static let pauseMilliseconds: UInt64 = 500
    private static let attemptHeader = "x-attempt"

    func handle(_ delivery: AMQPDelivery) async -> AMQPDisposition {
        await telemetry.logger.withDetails { await attempt(delivery) }
    }

    /// What becomes of the delivery, and whether its handling failed.
    private typealias Attempt = (result: AMQPDisposition, hasFailed: Bool)

    private func attempt(_ delivery: AMQPDelivery) async -> Attempt {
        let message = delivery.message
        let attempt = Int(message.headers[Self.attemptHeader]?.integer ?? 1)
        guard !message.messageID.isEmpty else { return (giveUp(message, "it has no message id"), true) }
        do {
            let isNew = try await database.transaction { transaction in
                guard try await isFirst(message.messageID, in: transaction) else { return false }
                try await handler(
                    message,
                    MessageContext(
                        transaction: transaction, messageID: message.messageID, attempt: attempt, outbox: outbox))
                return true
            }
            CrashPoint.reach("consumer.before_acknowledge")
            if !isNew { telemetry.duplicates.series(event).increment() }
            return (.acknowledge, false)
        } catch let poison as PoisonMessage {
            return (giveUp(message, poison.reason), true)
        } catch is DecodingError {
            return (giveUp(message, "its body is not a \(event)"), true)
        } catch let error as PostgreSQLError where error.isOutage {
            // The database's trouble is not the message's fault: no attempt is counted.
            try? await Task.sleep(nanoseconds: Self.pauseMilliseconds * 1_000_000)
            return (.requeue, true)
        } catch is CancellationError {
            return (.requeue, false)
        } catch {
            return (await retry(message, attempt, error), true)
        }
    }

    /// The same whose handler always fails.
    func failing(with error: any Error) -> EventConsumer {
        EventConsumer(
            queue: queue, event: event, broker: broker, database: database, telemetry: telemetry, outbox: outbox
        ) { _, _ in throw error }
    }

    private func isFirst(_ messageID: String, in transaction: PostgreSQLTransaction) async throws -> Bool {
        try await transaction.query(
            "INSERT inbox",
            """
            INSERT INTO inbox (message_id, consumer) VALUES (\(messageID), \(queue))
            ON CONFLICT (message_id, consumer) DO NOTHING
            """
        ).count > 0
    }

    private func retry(_ message: AMQPMessage, _ attempt: Int, _ error: any Error) async -> AMQPDisposition {
        let what =
            (error as? PostgreSQLError)?.description ?? (error as? ServiceCallError)?.message ?? "\(type(of: error))"
        guard attempt < EventTopology.maxAttempts else { return giveUp(message, "attempt \(attempt) failed: \(what)") }
        telemetry.logger.log(
            MessagingTelemetry.handlerFailed, "attempt \(attempt) of a \(event) failed: \(what)", fields(message))
        var again = message
        again.headers[Self.attemptHeader] = .integer(Int64(attempt + 1))
        do {
            try await broker.publish(
                again, exchange: "", routingKey: EventTopology.retryQueue(queue, attempt: attempt))
            telemetry.retries.series(event).increment()
            return .acknowledge
        } catch {
            try? await Task.sleep(nanoseconds: Self.pauseMilliseconds * 1_000_000)
            return .requeue
        }
    }

    private func giveUp(_ message: AMQPMessage, _ reason: String) -> AMQPDisposition {
        telemetry.deadLetters.series(event).increment()
        telemetry.logger.log(
            MessagingTelemetry.deadLettered, "a \(event) was given up: \(reason)", fields(message))
        return .reject
    }

    private func fields(_ message: AMQPMessage) -> [Attribute] {
        [
            Attribute(MessagingTelemetry.messageIDLabel, .string(message.messageID)),
            Attribute(MessagingTelemetry.queueLabel, .string(queue)),
            Attribute(MessagingTelemetry.subjectLabel, .string(message.correlationID ?? "")),
        ]
    }
}

extension PostgreSQLError {
    /// The database as such is in trouble, whatever was asked of it.
    fileprivate var isOutage: Bool {
        switch self {
        case .connection, .poolTimeout, .shutDown: true
        case .server, .invalidParameter, .deadlineExceeded, .decoding: false
        }
    }
}
