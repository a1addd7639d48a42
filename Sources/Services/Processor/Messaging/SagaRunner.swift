internal import PostgreSQL
internal import ProcessorContracts
internal import ServiceKit
internal import Telemetry
internal import Values

/// Takes facts into the saga of their order, in one transaction with the inbox and the outbox, so that a crash at any
/// moment leaves either nothing or all of a step.
struct SagaRunner: Sendable {
    let records: ProcessingRecords
    let outbox: Outbox
    let telemetry: ProcessorTelemetry

    /// What the saga must know of an order to tell everyone its outcome.
    struct Details: Sendable {
        let userID: String
        let total: Money
        let companyID: String?
    }

    /// - Parameter details: of the order, when the fact brings them.
    func take(
        _ fact: OrderSaga.Fact, about orderID: String, details: Details? = nil, in transaction: PostgreSQLTransaction
    ) async throws {
        var record = try await records.lock(orderID, in: transaction)
        if let details {
            record.userID = details.userID
            record.total = details.total
            record.companyID = details.companyID
        }
        try await apply(fact, to: record, in: transaction)
    }

    /// Fails the orders whose time is over, one a transaction.
    func failOverdue(_ database: PostgreSQLClient) async throws {
        while try await failOne(database) { try Task.checkCancellation() }
    }

    private func failOne(_ database: PostgreSQLClient) async throws -> Bool {
        try await database.transaction { transaction in
            guard let record = try await records.lockOverdue(in: transaction) else { return false }
            try await apply(.deadlinePassed, to: record, in: transaction)
            return true
        }
    }

    private func apply(
        _ fact: OrderSaga.Fact, to record: ProcessingRecord, in transaction: PostgreSQLTransaction
    ) async throws {
        var record = record
        if record.saga.isDecided {
            transaction.afterCommit { [telemetry, record] in telemetry.noteIgnored(fact, orderID: record.orderID) }
        }
        let decision = record.saga.take(fact)
        try await records.save(record, in: transaction)
        CrashPoint.reach("processor.before_publish")
        guard let decision else { return }
        let event: OrderProcessed
        switch decision {
        case .complete:
            event = OrderProcessed(
                orderID: record.orderID, status: .completed, errorMessage: nil, userID: record.userID,
                total: record.total)
        case .fail(let reason):
            event = OrderProcessed(
                orderID: record.orderID, status: .failed, errorMessage: reason, userID: record.userID,
                total: record.total)
        }
        try await outbox.append(event, in: transaction)
        CrashPoint.reach("processor.before_commit")
        transaction.afterCommit { [telemetry, record] in
            telemetry.noteDecision(
                outcome: event.status.rawValue, reason: event.errorMessage ?? "",
                seconds: Timestamp.now().seconds(since: record.createdAt), orderID: record.orderID)
        }
    }
}
