internal import CartContracts
internal import FoundationEssentials
internal import Redis
internal import ServiceKit
internal import Values

/// One line of a cart as it is stored.
struct CartLine: Codable, Hashable, Sendable {
    let id: String
    let productID: String
    let name: String
    let price: Money
    var quantity: Int

    var view: CartItemView {
        CartItemView(
            id: id, productID: productID, name: name, price: price, quantity: quantity,
            totalPrice: price.multiplied(by: quantity) ?? .maximum)
    }
}

/// A cart as it was read: its lines, and the version that a later change compares with.
struct StoredCart: Sendable {
    let lines: [CartLine]
    let version: String

    var view: CartView {
        CartView(items: lines.map(\.view), total: lines.reduce(.zero) { $0.adding($1.view.totalPrice) ?? .maximum })
    }
}

/// Carts in Redis: a hash a user, one field a product; the field `version` counts changes.
struct CartStore: Sendable {
    let redis: RedisClient

    static let maxLines = 100
    private static let expirySeconds = 30 * 86_400
    private static let versionField = "version"
    private static let maxListed = 1_000

    private func key(_ userID: String) -> String { "cart:{\(userID)}" }

    func read(_ userID: String) async throws -> StoredCart {
        let fields = try await redis.hashGetAll(key(userID))
        var version = "0"
        var lines: [CartLine] = []
        for (field, value) in fields {
            if field == Self.versionField {
                version = value
            } else if let line = try? JSONDecoder().decode(CartLine.self, from: Data(value.utf8)) {
                lines.append(line)
            }
        }
        return StoredCart(lines: lines.sorted { ($0.name, $0.id) < ($1.name, $1.id) }, version: version)
    }

    /// Writes one line, whatever others do to the rest of the cart meanwhile.
    func put(_ line: CartLine, of userID: String) async throws {
        let text = String(decoding: try JSONEncoder().encode(line), as: UTF8.self)
        _ = try await redis.script(
            """
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
            redis.call('HINCRBY', KEYS[1], 'version', 1)
            return redis.call('EXPIRE', KEYS[1], ARGV[3])
            """, keys: [key(userID)], arguments: [line.productID, text, "\(Self.expirySeconds)"])
    }

    func remove(_ productID: String, of userID: String) async throws {
        _ = try await redis.script(
            """
            redis.call('HINCRBY', KEYS[1], 'version', 1)
            return redis.call('HDEL', KEYS[1], ARGV[1])
            """, keys: [key(userID)], arguments: [productID])
    }

    /// Empties the cart but keeps its version growing, so that an idempotency key is never used for another order.
    func clear(_ userID: String) async throws { _ = try await clear(userID, ifVersion: "") }

    /// Empties the cart if nobody has changed it since it was read.
    /// - Returns: false when it was changed.
    func clear(_ userID: String, ifVersion version: String) async throws -> Bool {
        try await redis.script(
            """
            local version = redis.call('HGET', KEYS[1], 'version') or '0'
            if ARGV[1] ~= '' and version ~= ARGV[1] then return 0 end
            redis.call('DEL', KEYS[1])
            redis.call('HSET', KEYS[1], 'version', version + 1)
            redis.call('EXPIRE', KEYS[1], ARGV[2])
            return 1
            """, keys: [key(userID)], arguments: [version, "\(Self.expirySeconds)"]
        ).integer == 1
    }

    /// Users who have a cart, at most a thousand.
    func users() async throws -> [String] {
        try await redis.keys(matching: "cart:{*}", limit: Self.maxListed).map { String($0.dropFirst(6).dropLast()) }
    }
}
