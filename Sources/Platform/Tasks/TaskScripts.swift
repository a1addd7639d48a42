internal import Redis

/// The steps that must happen whole or not at all, as scripts. Times are Redis' own, so that workers' clocks do not matter.
enum TaskScripts {
    /// KEYS stream delayed result; ARGV limit delay-ms keep-seconds task owner field value …
    /// Refuses (0) when as many wait as may; nothing is ever trimmed.
    static let enqueue = RedisScript(
        """
        local delay, keep = tonumber(ARGV[2]), tonumber(ARGV[3])
        if delay > 0 then
            if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
            local time = redis.call('TIME')
            local due = time[1] * 1000 + math.floor(time[2] / 1000) + delay
            redis.call('ZADD', KEYS[2], due, cmsgpack.pack({KEYS[1], unpack(ARGV, 6)}))
        else
            if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
            redis.call('XADD', KEYS[1], '*', unpack(ARGV, 6))
        end
        if keep > 0 then
            redis.call('HSET', KEYS[3], 'state', 'pending', 'task', ARGV[4], 'owner', ARGV[5])
            redis.call('EXPIRE', KEYS[3], keep)
        end
        return 1
        """)

    /// KEYS streams in order; ARGV group consumer count. New entries, from the first streams that have some.
    static let take = RedisScript(
        """
        local left, taken = tonumber(ARGV[3]), {}
        for _, key in ipairs(KEYS) do
            if left <= 0 then break end
            local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', left, 'STREAMS', key, '>')
            if found then
                for _, entry in ipairs(found[1][2]) do
                    taken[#taken + 1] = {key, entry[1], entry[2]}
                    left = left - 1
                end
            end
        end
        return taken
        """)

    /// KEYS stream; ARGV group consumer visibility-ms count. Entries of workers that are gone, with how often they were
    /// delivered.
    static let reclaim = RedisScript(
        """
        local claimed, taken = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], '0-0', 'COUNT', ARGV[4]), {}
        for _, entry in ipairs(claimed[2]) do
            local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
            taken[#taken + 1] = {KEYS[1], entry[1], entry[2], pending[1] and pending[1][4] or 1}
        end
        return taken
        """)

    /// KEYS stream; ARGV group consumer id … Stays the owner of what is running; answers with what is somebody else's.
    static let extend = RedisScript(
        """
        local lost = {}
        for i = 3, #ARGV do
            if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 0 then
                lost[#lost + 1] = ARGV[i]
            else
                redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
            end
        end
        return lost
        """)

    /// KEYS stream; ARGV group id … For tasks whose result nobody keeps.
    static let acknowledge = RedisScript(
        """
        redis.call('XACK', KEYS[1], unpack(ARGV))
        return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
        """)

    /// Keeps the outcome and tells who waits for it.
    private static let tell = """
        local function tell(result, waiters, id, keep, state, body)
            redis.call('HSET', result, 'state', state, 'body', body)
            redis.call('EXPIRE', result, keep)
            for _, mailbox in ipairs(redis.call('SMEMBERS', waiters)) do
                redis.call('RPUSH', mailbox, id)
                redis.call('LTRIM', mailbox, -10000, -1)
                redis.call('EXPIRE', mailbox, 60)
            end
            redis.call('DEL', waiters)
        end

        """

    /// KEYS stream result waiters; ARGV group entry id keep-seconds state body. The first to finish a task decides.
    static let complete = RedisScript(
        tell + """
            local first = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
            redis.call('XDEL', KEYS[1], ARGV[2])
            if first == 1 then tell(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5], ARGV[6]) end
            return first
            """)

    /// The entry while it is the consumer's own, else nothing: a worker that lost its claim changes nothing any more.
    private static let own = """
        local function own(stream, group, consumer, id)
            if #redis.call('XPENDING', stream, group, id, id, 1, consumer) == 0 then return nil end
            local entry = redis.call('XRANGE', stream, id, id)[1]
            return entry and entry[2]
        end

        """

    /// KEYS stream delayed; ARGV group consumer entry delay-ms attempt. Puts a task back, now or later.
    static let putBack = RedisScript(
        own + """
            local fields = own(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
            if not fields then return 0 end
            for i = 1, #fields, 2 do
                if fields[i] == 'attempt' then fields[i + 1] = ARGV[5] end
            end
            local delay = tonumber(ARGV[4])
            if delay > 0 then
                local time = redis.call('TIME')
                local due = time[1] * 1000 + math.floor(time[2] / 1000) + delay
                redis.call('ZADD', KEYS[2], due, cmsgpack.pack({KEYS[1], unpack(fields)}))
            else
                redis.call('XADD', KEYS[1], '*', unpack(fields))
            end
            redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
            redis.call('XDEL', KEYS[1], ARGV[3])
            return 1
            """)

    /// KEYS stream dead result waiters; ARGV group consumer entry limit reason id keep-seconds body.
    static let bury = RedisScript(
        own + tell + """
            local fields = own(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
            if not fields then return 0 end
            fields[#fields + 1] = 'dead.reason'
            fields[#fields + 1] = ARGV[5]
            fields[#fields + 1] = 'dead.stream'
            fields[#fields + 1] = KEYS[1]
            redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], '*', unpack(fields))
            redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
            redis.call('XDEL', KEYS[1], ARGV[3])
            if tonumber(ARGV[7]) > 0 then tell(KEYS[3], KEYS[4], ARGV[6], ARGV[7], 'failed', ARGV[8]) end
            return 1
            """)

    /// KEYS delayed; ARGV count. Moves what is due into its stream; answers with how many there were.
    static let promote = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
        for _, packed in ipairs(due) do
            local fields = cmsgpack.unpack(packed)
            redis.call('XADD', table.remove(fields, 1), '*', unpack(fields))
            redis.call('ZREM', KEYS[1], packed)
        end
        return #due
        """)

    /// KEYS lock periods stream; ARGV token task period-ms limit field value … Enqueues a periodic task when its period has
    /// begun: once, and only while the caller's lease is the newest (-1 otherwise). The first period is only noted.
    static let enqueuePeriod = RedisScript(
        """
        if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local period = math.floor(now / tonumber(ARGV[3]))
        local last = redis.call('HGET', KEYS[2], ARGV[2])
        if last and period <= tonumber(last) then return 0 end
        redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', period))
        if not last then return 0 end
        if redis.call('XLEN', KEYS[3]) >= tonumber(ARGV[4]) then return -2 end
        redis.call('XADD', KEYS[3], '*', unpack(ARGV, 5))
        return 1
        """)

    /// KEYS result waiters; ARGV mailbox seconds. The outcome as state, task, owner and body, or a promise to tell.
    static let lookUp = RedisScript(
        """
        local known = redis.call('HMGET', KEYS[1], 'state', 'task', 'owner', 'body')
        if known[1] == 'pending' then
            redis.call('SADD', KEYS[2], ARGV[1])
            redis.call('EXPIRE', KEYS[2], ARGV[2])
        end
        return known
        """)

    /// KEYS streams … delayed dead. Lengths in that order, then the age in milliseconds of each stream's oldest entry.
    static let measure = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local answer, ages = {}, {}
        for i = 1, #KEYS - 2 do
            answer[i] = redis.call('XLEN', KEYS[i])
            local first = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
            ages[i] = first and math.max(0, now - tonumber(string.match(first[1], '^%d+'))) or 0
        end
        answer[#KEYS - 1] = redis.call('ZCARD', KEYS[#KEYS - 1])
        answer[#KEYS] = redis.call('XLEN', KEYS[#KEYS])
        for _, age in ipairs(ages) do answer[#answer + 1] = age end
        return answer
        """)

    /// KEYS dead fallback-stream; ARGV entry. Puts a dead letter back where it died, as good as new.
    static let replay = RedisScript(
        """
        local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
        if not entry then return 0 end
        local fields, stream = {}, KEYS[2]
        for i = 1, #entry[2], 2 do
            local name, value = entry[2][i], entry[2][i + 1]
            if name == 'dead.stream' then
                stream = value
            elseif name ~= 'dead.reason' then
                fields[#fields + 1] = name
                fields[#fields + 1] = name == 'attempt' and '1' or value
            end
        end
        redis.call('XADD', stream, '*', unpack(fields))
        redis.call('XDEL', KEYS[1], ARGV[1])
        return 1
        """)

    /// KEYS streams …; ARGV group idle-ms. Forgets consumers that own nothing and have not been heard of.
    static let forgetConsumers = RedisScript(
        """
        local count = 0
        for _, key in ipairs(KEYS) do
            if redis.call('EXISTS', key) == 1 then
                for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key, ARGV[1])) do
                    local facts = {}
                    for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
                    if facts.pending == 0 and facts.idle > tonumber(ARGV[2]) then
                        redis.call('XGROUP', 'DELCONSUMER', key, ARGV[1], facts.name)
                        count = count + 1
                    end
                end
            end
        end
        return count
        """)

    /// KEYS streams …; ARGV group consumer. The consumer goes, where it owns nothing.
    static let leave = RedisScript(
        """
        for _, key in ipairs(KEYS) do
            if #redis.call('XPENDING', key, ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
                redis.call('XGROUP', 'DELCONSUMER', key, ARGV[1], ARGV[2])
            end
        end
        return 0
        """)
}
