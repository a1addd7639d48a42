package import PostgreSQL

/// The transactional outbox: events are rows of the business transaction, with the trace context in the row; the
/// relay publishes them with confirms, in order, at least once.
package struct Outbox: Sendable {
    init() { fatalError("skeleton") }
    package func append(_ event: some Event, in transaction: PostgreSQLTransaction) async throws {
        fatalError("skeleton")
    }
}
