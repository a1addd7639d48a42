internal import Redis

/// The steps of a cache that must not be torn apart. All keys of a cache have its name in braces, so that a Redis cluster
/// keeps them together.
///
/// `changes` counts what made entries outdated. Whoever loads an entry remembers the count from before, and stores it only
/// if it has not moved since: what was read before a change is never kept after it.
enum CacheScripts {
    /// Keeps a value that was loaded, unless something changed meanwhile; the soonest to end make room.
    ///
    /// Keys: changes, index, value. Arguments: changes seen, key, value, milliseconds to live, entries at most.
    /// Returns 1 when it was kept.
    static let store = RedisScript(
        expiry + """

            if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
            keep(KEYS[2], KEYS[3], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
            return 1
            """)

    /// Keeps a value that was written to the store of record. When somebody else changed something meanwhile, nobody here
    /// knows whose value is the later one, so neither is kept. The arguments are those of `store`.
    static let write = RedisScript(
        expiry + """

            if tostring(redis.call('INCR', KEYS[1]) - 1) ~= ARGV[1] then
                redis.call('UNLINK', KEYS[3])
                redis.call('ZREM', KEYS[2], ARGV[2])
                return 0
            end
            keep(KEYS[2], KEYS[3], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
            return 1
            """)

    /// Forgets one entry. Keys: changes, index, value. Argument: key. Returns how many there were.
    static let forget = RedisScript(
        """
        redis.call('INCR', KEYS[1])
        redis.call('UNLINK', KEYS[3])
        return redis.call('ZREM', KEYS[2], ARGV[1])
        """)

    /// Forgets the entries that a pattern names. Keys: changes, index. Arguments: glob, what values' keys begin with.
    /// Returns how many there were.
    static let invalidate = RedisScript(
        """
        redis.call('INCR', KEYS[1])
        local cursor, count = '0', 0
        repeat
            local page = redis.call('ZSCAN', KEYS[2], cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
            cursor = page[1]
            for i = 1, #page[2], 2 do
                redis.call('UNLINK', ARGV[2] .. page[2][i])
                count = count + redis.call('ZREM', KEYS[2], page[2][i])
            end
        until cursor == '0'
        return count
        """)

    private static let expiry = """
        local function keep(index, value, key, body, ttl, most)
            local time = redis.call('TIME')
            local now = time[1] * 1000 + math.floor(time[2] / 1000)
            redis.call('SET', value, body, 'PX', ttl)
            redis.call('ZADD', index, now + ttl, key)
            redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
            local excess = redis.call('ZCARD', index) - most
            if excess > 0 then
                local prefix = string.sub(value, 1, #value - #key)
                local gone = redis.call('ZPOPMIN', index, excess)
                for i = 1, #gone, 2 do redis.call('UNLINK', prefix .. gone[i]) end
            end
        end
        """
}
