internal import FoundationEssentials
internal import Redis
internal import ServiceKit

/// Carts in Redis: a hash a user, one field a product; the field `version` counts changes.
///
/// A version starts at the clock's microseconds and only grows, so that no version of a user's cart ever comes back,
/// even when Redis has lost or expired the cart: the idempotency key of a checkout is made of it.
struct CartStore: Sendable {
    let redis: RedisClient

    private static let expirySeconds = 30 * 86_400
    private static let versionField = "version"
    private static let absentVersion = "0"
    private static let maxListed = 1_000

    private func key(_ userID: String) -> String { "cart:{\(userID)}" }

    func read(_ userID: String) async throws -> ShoppingCart {
        let fields = try await redis.hashGetAll(key(userID))
        var version = Self.absentVersion
        var lines: [CartLine] = []
        for (field, value) in fields {
            if field == Self.versionField {
                version = value
            } else if let line = try? JSONDecoder().decode(CartLine.self, from: Data(value.utf8)) {
                lines.append(line)
            }
        }
        return ShoppingCart(lines: lines.sorted { ($0.name, $0.id) < ($1.name, $1.id) }, version: version)
    }

    /// Makes the changes if nobody has changed the cart since it was read.
    /// - Returns: false when somebody has: nothing was changed.
    func apply(_ changes: [ShoppingCart.Change], to cart: ShoppingCart, of userID: String) async throws -> Bool {
        var arguments = [cart.version, "\(Self.expirySeconds)"]
        for change in changes {
            switch change {
            case .put(let line):
                arguments.append(line.productID)
                arguments.append(String(decoding: try JSONEncoder().encode(line), as: UTF8.self))
            case .remove(let productID):
                arguments.append(productID)
                arguments.append("")
            }
        }
        return try await redis.run(Self.applyChanges, keys: [key(userID)], arguments: arguments).integer == 1
    }

    /// Empties the cart, whatever is in it.
    func clear(_ userID: String) async throws { _ = try await clear(userID, version: "") }

    /// Empties the cart if nobody has changed it since it was read.
    /// - Returns: false when somebody has: what was put in meanwhile stays.
    func clear(_ cart: ShoppingCart, of userID: String) async throws -> Bool {
        try await clear(userID, version: cart.version)
    }

    private func clear(_ userID: String, version: String) async throws -> Bool {
        try await redis.run(Self.empty, keys: [key(userID)], arguments: [version, "\(Self.expirySeconds)"]).integer == 1
    }

    /// Users who have a cart, at most a thousand.
    func users() async throws -> [String] {
        try await redis.keys(matching: "cart:{*}", limit: Self.maxListed).map { String($0.dropFirst(6).dropLast()) }
    }

    // MARK: Scripts

    private static let applyChanges = RedisScript(
        """
        local version = redis.call('HGET', KEYS[1], 'version')
        if (version or '0') ~= ARGV[1] then return 0 end
        if not version then
            local now = redis.call('TIME')
            redis.call('HSET', KEYS[1], 'version', now[1] .. string.format('%06d', tonumber(now[2])))
        end
        for i = 3, #ARGV, 2 do
            if ARGV[i + 1] == '' then
                redis.call('HDEL', KEYS[1], ARGV[i])
            else
                redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
            end
        end
        redis.call('HINCRBY', KEYS[1], 'version', 1)
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        return 1
        """)

    private static let empty = RedisScript(
        """
        local version = redis.call('HGET', KEYS[1], 'version')
        if not version or (ARGV[1] ~= '' and version ~= ARGV[1]) then return 0 end
        redis.call('DEL', KEYS[1])
        redis.call('HSET', KEYS[1], 'version', version)
        redis.call('HINCRBY', KEYS[1], 'version', 1)
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        return 1
        """)
}
