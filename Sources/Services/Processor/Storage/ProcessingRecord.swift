internal import PostgreSQL
internal import ServiceKit
internal import Values

/// The saga of one order as it is stored: one row, by unique `order_id`.
struct ProcessingRecord: Sendable {
    let orderID: String
    var userID: String?
    var total: Money?
    /// The tenant; nil for the platform's own, and until the order itself is known.
    var companyID: String?
    var saga: OrderSaga
    let createdAt: Timestamp
}

/// Reads and writes processing records inside the caller's transaction.
struct ProcessingRecords: Sendable {
    let sagaTimeoutMilliseconds: Int

    private static let columns =
        "order_id, user_id, total, company_id, state, stock, payment, reason, created_at"

    /// The order's record, made on the first fact, and locked until the transaction ends. The deadline goes by the
    /// database's clock, as the search for what is overdue does.
    func lock(_ orderID: String, in transaction: PostgreSQLTransaction) async throws -> ProcessingRecord {
        try await transaction.query(
            "INSERT processing_records",
            """
            INSERT INTO processing_records (id, order_id, state, deadline)
            VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, 'PENDING',
                    now() + \(sagaTimeoutMilliseconds)::int * interval '1 millisecond')
            ON CONFLICT (order_id) DO NOTHING
            """)
        let row = try await transaction.query(
            "SELECT processing_records",
            """
            SELECT \(unsafeSQL: Self.columns) FROM processing_records
            WHERE order_id = \(orderID)::uuid FOR UPDATE
            """
        ).first
        guard let row else { throw PostgreSQLError.decoding("the processing record has vanished") }
        return try Self.record(row)
    }

    func save(_ record: ProcessingRecord, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE processing_records",
            """
            UPDATE processing_records
            SET user_id = \(record.userID), total = \(record.total)::numeric, company_id = \(record.companyID)::uuid,
                state = \(record.saga.state.rawValue), stock = \(record.saga.stock?.rawValue),
                payment = \(record.saga.payment?.rawValue), reason = \(record.saga.reason), updated_at = now()
            WHERE order_id = \(record.orderID)::uuid
            """)
    }

    /// One undecided order whose time is over, locked; others skip it.
    func lockOverdue(in transaction: PostgreSQLTransaction) async throws -> ProcessingRecord? {
        let row = try await transaction.query(
            "SELECT processing_records",
            """
            SELECT \(unsafeSQL: Self.columns) FROM processing_records
            WHERE state IN ('PENDING', 'PROCESSING') AND deadline < now()
            ORDER BY deadline LIMIT 1 FOR UPDATE SKIP LOCKED
            """
        ).first
        return try row.map(Self.record)
    }

    /// How many orders are undecided, and the age of the oldest in seconds.
    static func open(_ database: PostgreSQLClient) async throws -> (count: Int, oldestSeconds: Double) {
        let row = try await database.query(
            "SELECT processing_records",
            """
            SELECT count(*) AS open, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age
            FROM processing_records WHERE state IN ('PENDING', 'PROCESSING')
            """
        ).first
        return (try row?.get("open") ?? 0, try row?.get("age") ?? 0)
    }

    private static func record(_ row: PostgreSQLRow) throws -> ProcessingRecord {
        let state: String = try row.get("state")
        guard let state = OrderSaga.State(rawValue: state) else {
            throw PostgreSQLError.decoding("processing_records.state is unknown")
        }
        return ProcessingRecord(
            orderID: try row.get("order_id"), userID: try row.optional("user_id"), total: try row.optional("total"),
            companyID: try row.optional("company_id"),
            saga: OrderSaga(
                state: state, stock: try row.optional("stock").flatMap { OrderSaga.Answer(rawValue: $0) },
                payment: try row.optional("payment").flatMap { OrderSaga.Answer(rawValue: $0) },
                reason: try row.optional("reason")),
            createdAt: try row.get("created_at"))
    }
}
