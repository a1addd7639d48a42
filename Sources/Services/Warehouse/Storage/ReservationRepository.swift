internal import FoundationEssentials
internal import PostgreSQL
internal import ServiceKit
internal import Values

/// What is set aside for an order: one row an order, by unique `order_id`.
struct Reservation: Sendable {
    let orderID: String
    var state: ReservationState
    let lines: [StockLine]
    /// Whose stock it is; nil for the platform's own, and while nothing is known.
    var companyID: String?
}

/// Reads and writes reservations.
struct ReservationRepository: Sendable {
    /// The order's reservation, locked until the transaction ends; nil when there is none.
    func lock(_ orderID: String, in transaction: PostgreSQLTransaction) async throws -> Reservation? {
        // Serializes facts about one order also while there is no row to lock.
        try await transaction.query(
            "SELECT pg_advisory_xact_lock", "SELECT pg_advisory_xact_lock(hashtextextended(\(orderID), 0))")
        let row = try await transaction.query(
            "SELECT reservations",
            "SELECT order_id, state, lines FROM reservations WHERE order_id = \(orderID)::uuid FOR UPDATE"
        ).first
        guard let row else { return nil }
        let state: String = try row.get("state")
        let lines: String = try row.get("lines")
        guard let state = ReservationState(rawValue: state) else {
            throw PostgreSQLError.decoding("reservations.state is unknown")
        }
        return Reservation(
            orderID: try row.get("order_id"), state: state,
            lines: try JSONDecoder().decode([StockLine].self, from: Data(lines.utf8)))
    }

    func insert(_ reservation: Reservation, in transaction: PostgreSQLTransaction) async throws {
        let lines = String(decoding: try JSONEncoder().encode(reservation.lines), as: UTF8.self)
        try await transaction.query(
            "INSERT reservations",
            """
            INSERT INTO reservations (id, company_id, order_id, state, lines)
            VALUES (\(Identifier.make())::uuid, \(reservation.companyID)::uuid, \(reservation.orderID)::uuid, \(reservation.state.rawValue),
                    \(lines)::jsonb)
            """)
    }

    func update(_ reservation: Reservation, in transaction: PostgreSQLTransaction) async throws {
        try await transaction.query(
            "UPDATE reservations",
            """
            UPDATE reservations SET state = \(reservation.state.rawValue)
            WHERE order_id = \(reservation.orderID)::uuid
            """)
    }
}
