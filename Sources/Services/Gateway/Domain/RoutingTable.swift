internal import ServiceKit

/// Which service answers which path: the longest prefix wins.
struct RoutingTable: Sendable {
    struct Entry: Sendable {
        /// `/order-api`: the path itself and everything below it.
        let prefix: String
        let service: String
        /// How the gateway's own errors look there.
        let errors: ErrorShape
        /// Sign-in and registration: guessed at by attackers, so limited more tightly.
        var isSensitive = false

        /// The label of metrics and spans; never the path itself.
        var template: String { prefix + "/{path}" }
    }

    private let entries: [Entry]

    init(_ entries: [Entry]) { self.entries = entries.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count } }

    /// - Parameter path: without query, as sent.
    func entry(for path: Substring) -> Entry? {
        for entry in entries where path.utf8.starts(with: entry.prefix.utf8) {
            let rest = path.utf8.dropFirst(entry.prefix.utf8.count)
            if rest.isEmpty || rest.first == 0x2F { return entry }
        }
        return nil
    }

    /// The platform's public paths.
    static let platform = RoutingTable([
        Entry(prefix: "/api/users", service: "users", errors: .marimo),
        Entry(prefix: "/api/users/login", service: "users", errors: .marimo, isSensitive: true),
        Entry(prefix: "/api/users/register", service: "users", errors: .marimo, isSensitive: true),
        Entry(prefix: "/api/users/refresh", service: "users", errors: .marimo, isSensitive: true),
        Entry(prefix: "/user-api", service: "users", errors: .detail),
        Entry(prefix: "/user-api/token", service: "users", errors: .detail, isSensitive: true),
        Entry(prefix: "/user-api/users/register", service: "users", errors: .detail, isSensitive: true),
        Entry(prefix: "/api/products", service: "catalog", errors: .detail),
        Entry(prefix: "/api/system", service: "catalog", errors: .detail),
        Entry(prefix: "/cart-api", service: "cart", errors: .detail),
        Entry(prefix: "/order-api", service: "orders", errors: .detail),
        Entry(prefix: "/api/v1/stock-levels", service: "warehouse", errors: .problem),
        Entry(prefix: "/api/v1/payments", service: "payments", errors: .problem),
        Entry(prefix: "/api/v1/audit", service: "notifications", errors: .problem),
    ])
}
