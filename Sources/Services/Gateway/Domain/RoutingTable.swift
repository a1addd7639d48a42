internal import ServiceKit

/// Which service answers which path: the longest prefix wins. Paths are compared as bytes, as they were sent; whatever
/// could be read in two ways (dot segments, encoded slashes) the server has refused before.
struct RoutingTable: Sendable {
    /// A public path and everything below it.
    final class Entry: Sendable {
        /// `/order-api`.
        let prefix: String
        let service: String
        /// How the gateway's own errors look there.
        let errors: ErrorShape
        /// Sign-in and registration: guessed at by attackers, so limited more tightly.
        let isSensitive: Bool
        /// The label of metrics and spans; never the path itself.
        let template: String
        fileprivate let bytes: [UInt8]

        init(_ prefix: String, to service: String, errors: ErrorShape, isSensitive: Bool = false) {
            self.prefix = prefix
            self.service = service
            self.errors = errors
            self.isSensitive = isSensitive
            template = isSensitive ? prefix : prefix + "/{path}"
            bytes = Array(prefix.utf8)
        }
    }

    let entries: [Entry]

    /// With where each service tells of its tasks.
    init(_ entries: [Entry]) {
        let tasks = Set(entries.map(\.service)).sorted()
            .map { Entry(TaskAnswer.statusPath(of: $0), to: $0, errors: .problem) }
        self.entries = (entries + tasks).sorted { ($1.bytes.count, $0.prefix) < ($0.bytes.count, $1.prefix) }
    }

    /// - Parameter target: path and query, as sent.
    func entry(for target: String) -> Entry? { index(for: target).map { entries[$0] } }

    /// The place of the entry in the table.
    func index(for target: String) -> Int? {
        let target = target.utf8.span
        for index in entries.indices where Self.isBelow(entries[index].bytes, target) { return index }
        return nil
    }

    /// Whether a path is the prefix itself, or goes on with a slash.
    private static func isBelow(_ prefix: [UInt8], _ target: Span<UInt8>) -> Bool {
        let count = prefix.count
        guard target.count >= count else { return false }
        if target.count > count {
            let next = target[count]
            guard next == UInt8(ascii: "/") || next == UInt8(ascii: "?") else { return false }
        }
        for index in 0..<count where prefix[index] != target[index] { return false }
        return true
    }

    /// The services behind the table, each once, by name.
    var services: [String] { Set(entries.map(\.service)).sorted() }

    /// The platform's public paths. What a service calls `/internal` is never among them.
    static let platform = RoutingTable([
        Entry("/api/users", to: "users", errors: .marimo),
        Entry("/api/users/login", to: "users", errors: .marimo, isSensitive: true),
        Entry("/api/users/register", to: "users", errors: .marimo, isSensitive: true),
        Entry("/api/users/refresh", to: "users", errors: .marimo, isSensitive: true),
        Entry("/api/v1/users", to: "users", errors: .problem),
        Entry("/api/v1/companies", to: "users", errors: .problem),
        Entry("/api/v1/groups", to: "users", errors: .problem),
        Entry("/api/v1/permissions", to: "users", errors: .problem),
        Entry("/api/v1/group-members", to: "users", errors: .problem),
        Entry("/api/v1/group-permissions", to: "users", errors: .problem),
        Entry("/user-api", to: "users", errors: .detail),
        Entry("/user-api/token", to: "users", errors: .detail, isSensitive: true),
        Entry("/user-api/users/register", to: "users", errors: .detail, isSensitive: true),
        Entry("/api/products", to: "catalog", errors: .detail),
        Entry("/api/system", to: "catalog", errors: .detail),
        Entry("/cart-api", to: "cart", errors: .detail),
        Entry("/order-api", to: "orders", errors: .detail),
        Entry("/api/v1/locations", to: "warehouse", errors: .problem),
        Entry("/api/v1/stock-levels", to: "warehouse", errors: .problem),
        Entry("/api/v1/location-levels", to: "warehouse", errors: .problem),
        Entry("/api/v1/stock-movements", to: "warehouse", errors: .problem),
        Entry("/api/v1/reservations", to: "warehouse", errors: .problem),
        Entry("/api/v1/operations", to: "warehouse", errors: .problem),
        Entry("/api/v1/operation-lines", to: "warehouse", errors: .problem),
        Entry("/api/v1/suppliers", to: "purchase", errors: .problem),
        Entry("/api/v1/purchase-orders", to: "purchase", errors: .problem),
        Entry("/api/v1/purchase-order-lines", to: "purchase", errors: .problem),
        Entry("/api/v1/purchase-receipts", to: "purchase", errors: .problem),
        Entry("/api/v1/payments", to: "payments", errors: .problem),
        Entry("/api/v1/audit", to: "notifications", errors: .problem),
        Entry("/api/v1/deliveries", to: "notifications", errors: .problem),
    ])
}
