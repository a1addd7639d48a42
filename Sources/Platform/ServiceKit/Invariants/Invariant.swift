package import PostgreSQL

/// What the platform promises about its data, whatever fails. Each service checks its own share of them all the time.
package enum Invariant: String, CaseIterable, Sendable {
    /// Every accepted order reaches exactly one outcome.
    case oneOutcome = "I1"
    /// No order is charged twice; what was taken is the order's total or nothing.
    case chargedOnce = "I2"
    /// Stock is never negative, what is set aside is there, and movements add up to the stock.
    case stockAddsUp = "I3"
    /// The books agree: every completed order is booked once, with its amount.
    case booksAgree = "I4"
}

/// Rows of one table that are held against an invariant, some at a time.
package struct InvariantCheck: Sendable {
    /// A row that was looked at.
    package struct Row: Sendable {
        let lsn: Int64
        /// What the row is about, for the log: an order's or a product's id.
        let subject: String
        /// What is wrong with it; nil when it is sound. No personal data.
        let problem: String?

        package init(lsn: Int64, subject: String, problem: String?) {
            self.lsn = lsn
            self.subject = subject
            self.problem = problem
        }
    }

    package static let usualRows = 200

    let invariant: Invariant
    /// What is compared, in a few words: `payments and the provider's ledger`.
    let name: String
    /// Of the newest, and of all others, at each look.
    let rows: Int
    /// At most `limit` rows behind `lsn`, in its order. A negative `lsn` counts from the newest row: -200 is the last
    /// two hundred.
    let read: @Sendable (_ lsn: Int64, _ limit: Int) async throws -> [Row]
}

extension InvariantCheck {
    /// SQL for where a page begins: `WHERE lsn > \(fragment: InvariantCheck.start(lsn, in: "orders"))`.
    package static func start(_ lsn: Int64, in table: StaticString) -> SQL {
        """
        (CASE WHEN \(lsn)::bigint < 0 THEN (SELECT coalesce(max(lsn), 0) FROM \(unsafeSQL: "\(table)")) + \(lsn)::bigint
              ELSE \(lsn)::bigint END)
        """
    }
}
