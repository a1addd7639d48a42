package import Redis
internal import Values

/// Locks in Redis, for what happens in Redis. The time is Redis'. Tokens grow even when Redis has lost its data: a new one
/// is at least its clock in milliseconds.
package struct RedisLocks: Sendable {
    private let redis: RedisClient

    package init(_ redis: RedisClient) { self.redis = redis }

    /// Where Redis keeps the holder (a hash of `owner` and `token`): for scripts that check it themselves.
    package static func key(_ name: String) -> String { "lock:{\(name)}" }
    private static func tokenKey(_ name: String) -> String { "lock:{\(name)}:token" }

    /// Takes the lock when nobody holds it.
    /// - Parameter milliseconds: how long it is held unless it is renewed, 1 or more.
    /// - Returns: nil while somebody else holds it.
    package func acquire(_ name: String, forMilliseconds milliseconds: Int) async throws -> Lease? {
        let owner = Identifier.make()
        let token = try await redis.run(
            Self.acquire, keys: [Self.key(name), Self.tokenKey(name)], arguments: [owner, "\(milliseconds)"]
        ).integer
        guard let token, token > 0 else { return nil }
        return Lease(name: name, owner: owner, token: token)
    }

    /// Holds the lock for longer.
    /// - Returns: false when it is somebody else's by now, or has ended.
    package func renew(_ lease: Lease, forMilliseconds milliseconds: Int) async throws -> Bool {
        try await redis.run(
            Self.renew, keys: [Self.key(lease.name)], arguments: ["\(lease.token)", "\(milliseconds)"]
        ).integer == 1
    }

    /// Lets go, so that the next one need not wait; after the lease was lost this does nothing.
    package func release(_ lease: Lease) async throws {
        _ = try await redis.run(Self.release, keys: [Self.key(lease.name)], arguments: ["\(lease.token)"])
    }

    /// Whether the lease is still the lock's: for a look before long work. A write must check within itself, as a script
    /// that compares `HGET key token`, or it may come after the lease's end all the same.
    package func isCurrent(_ lease: Lease) async throws -> Bool {
        try await redis.command("HGET", Self.key(lease.name), "token").text == "\(lease.token)"
    }

    private static let acquire = RedisScript(
        """
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now)
        redis.call('SET', KEYS[2], string.format('%.0f', token))
        redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', string.format('%.0f', token))
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return token
        """)

    private static let renew = RedisScript(
        """
        if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
        return redis.call('PEXPIRE', KEYS[1], ARGV[2])
        """)

    private static let release = RedisScript(
        """
        if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
        return redis.call('DEL', KEYS[1])
        """)
}
