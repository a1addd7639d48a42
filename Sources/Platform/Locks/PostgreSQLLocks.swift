package import PostgreSQL
internal import Values

/// Locks as rows of a service's own database (`leases`): the time is the database's, and a protected write checks its
/// token in its own transaction, so that nobody who lost the lock can commit.
package struct PostgreSQLLocks: Sendable {
    /// What every service database has for it.
    package static let schema = """
        CREATE TABLE leases (
            name text PRIMARY KEY,
            owner text NOT NULL,
            token bigint NOT NULL,
            expires_at timestamptz NOT NULL
        );
        """

    private let database: PostgreSQLClient

    package init(_ database: PostgreSQLClient) { self.database = database }

    /// Takes the lock when nobody holds it.
    /// - Parameter milliseconds: how long it is held unless it is renewed, 1 or more.
    /// - Returns: nil while somebody else holds it.
    package func acquire(_ name: String, forMilliseconds milliseconds: Int) async throws -> Lease? {
        let owner = Identifier.make()
        let row = try await database.query(
            "INSERT leases",
            """
            INSERT INTO leases (name, owner, token, expires_at)
            VALUES (\(name), \(owner), 1, clock_timestamp() + \(milliseconds)::int * interval '1 millisecond')
            ON CONFLICT (name) DO UPDATE
            SET owner = excluded.owner, token = leases.token + 1, expires_at = excluded.expires_at
            WHERE leases.expires_at <= clock_timestamp()
            RETURNING token
            """
        ).first
        guard let row else { return nil }
        return Lease(name: name, owner: owner, token: try row.get("token"))
    }

    /// Holds the lock for longer.
    /// - Returns: false when it is somebody else's by now, or has ended.
    package func renew(_ lease: Lease, forMilliseconds milliseconds: Int) async throws -> Bool {
        try await database.query(
            "UPDATE leases",
            """
            UPDATE leases SET expires_at = clock_timestamp() + \(milliseconds)::int * interval '1 millisecond'
            WHERE name = \(lease.name) AND token = \(lease.token) AND expires_at > clock_timestamp()
            """
        ).count > 0
    }

    /// Lets go, so that the next one need not wait; after the lease was lost this does nothing.
    package func release(_ lease: Lease) async throws {
        try await database.query(
            "UPDATE leases",
            """
            UPDATE leases SET expires_at = clock_timestamp()
            WHERE name = \(lease.name) AND token = \(lease.token) AND expires_at > clock_timestamp()
            """)
    }

    /// Call first in the transaction that writes what the lock protects: until it ends nobody else takes the lock.
    /// - Throws: `LeaseLost` when somebody has taken it since.
    package static func check(_ lease: Lease, in transaction: PostgreSQLTransaction) async throws {
        let row = try await transaction.query(
            "SELECT leases",
            "SELECT 1 FROM leases WHERE name = \(lease.name) AND token = \(lease.token) FOR SHARE"
        ).first
        guard row != nil else { throw LeaseLost(name: lease.name) }
    }
}
