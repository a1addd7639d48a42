internal import FoundationEssentials
package import Redis
internal import Resilience
internal import Synchronization
package import Telemetry

/// Values of one kind in Redis, for a while: cache-aside for what is read, write-through for what is written, forgotten by
/// key or by pattern. Redis is never needed: without it every value is loaded.
///
///     let lists = app.cache("lists", ProductPage.self)
///     let page = try await lists.value(CacheKey(company: company, "tools", "20")) { try await load() }
///     await lists.invalidate(CachePattern(company: company, "tools"))
///
/// A value that was loaded before a change was announced is never kept after it (`CacheScripts`). What remains possible:
/// a process that dies between its commit and the announcement leaves entries outdated until they end by themselves.
package final class Cache<Value: Codable & Sendable>: Sendable {
    package struct Configuration: Sendable {
        /// 1 or more; each entry ends up to a tenth sooner, so that entries made together do not end together.
        package var lifetimeSeconds = 60
        /// Entries in Redis, 1 to 100,000: the soonest to end make room.
        package var maxEntries = 10_000
        /// A larger value is not kept.
        package var maxValueBytes = 1024 * 1024
        package init() {}
    }

    private let name: String
    private let redis: RedisClient
    private let telemetry: CacheTelemetry
    private let configuration: Configuration
    private let flights = SingleFlight<Value>()
    /// While Redis is away, nobody waits for its time-out.
    private let breaker: Mutex<CircuitBreaker>

    /// - Parameter name: of the service and what is kept (`catalog.lists`); unique in a Redis.
    package init(
        _ name: String, redis: RedisClient, telemetry: Telemetry, configuration: Configuration = Configuration()
    ) {
        precondition(configuration.lifetimeSeconds >= 1 && (1...100_000).contains(configuration.maxEntries))
        self.name = name
        self.redis = redis
        self.telemetry = CacheTelemetry(telemetry, cache: name)
        self.configuration = configuration
        breaker = Mutex(CircuitBreaker(policy: Self.policy, now: Self.now))
    }

    // MARK: Reading

    /// The value that is kept, or else the one that `load` brings, which is kept from then on. Of several who miss the same
    /// value at once, one in this process loads it.
    /// - Throws: what `load` throws. Errors of Redis are never thrown.
    package func value(_ key: CacheKey, otherwise load: () async throws -> Value) async throws -> Value {
        guard let seen = await look(key) else {
            telemetry.bypasses.increment()
            return try await load()
        }
        if let value = seen.value {
            telemetry.hits.increment()
            return value
        }
        // Whoever comes after a change does not join a load from before it.
        let flight = seen.changes + ":" + key.text
        if let value = try await flights.join(flight) {
            telemetry.shared.increment()
            return value
        }
        telemetry.misses.increment()
        do {
            let value = try await load()
            flights.land(flight, .success(value))
            await keep(value, key, CacheScripts.store, changes: seen.changes)
            return value
        } catch {
            flights.land(flight, .failure(error))
            throw error
        }
    }

    private struct Seen {
        /// The count of changes, as text.
        let changes: String
        let value: Value?
    }

    /// - Returns: nil when Redis does not answer.
    private func look(_ key: CacheKey) async -> Seen? {
        await guarded { [self] in
            let answer = try await redis.command("MGET", changesKey, valuesPrefix + key.text).array ?? []
            let changes = answer.first?.text ?? "0"
            guard answer.count == 2, let text = answer[1].text else { return Seen(changes: changes, value: nil) }
            // What another version of the program wrote may be something else by now: then it is loaded anew.
            let value = try? JSONDecoder().decode(Value.self, from: Data(text.utf8))
            return Seen(changes: changes, value: value)
        }
    }

    // MARK: Writing

    /// Writes through: `store` changes the store of record, and what it returns is kept. When two write at once, neither
    /// value is kept, because only the store knows which came last.
    /// - Throws: what `store` throws; whatever is kept under the key is forgotten then too, since a write whose answer was
    ///   lost may have happened.
    package func write(_ key: CacheKey, storing store: () async throws -> Value) async throws -> Value {
        let seen = await guarded { [self] in try await redis.command("GET", changesKey).text ?? "0" }
        do {
            let value = try await store()
            // Without the count from before, the entry is only forgotten: no count is ever -1.
            await keep(value, key, CacheScripts.write, changes: seen ?? "-1")
            return value
        } catch {
            await invalidate(key)
            throw error
        }
    }

    /// Forgets one entry. To be called after the change has been committed.
    package func invalidate(_ key: CacheKey) async {
        await announce(
            CacheScripts.forget, [changesKey, indexKey, valuesPrefix + key.text], [key.text])
    }

    /// Forgets every entry that the pattern names, in time that grows with the entries of this cache only. To be called
    /// after the change has been committed.
    package func invalidate(_ pattern: CachePattern) async {
        await announce(CacheScripts.invalidate, [changesKey, indexKey], [pattern.glob, valuesPrefix])
    }

    private func announce(_ script: RedisScript, _ keys: [String], _ arguments: [String]) async {
        do {
            let count = try await run(script, keys, arguments)
            telemetry.invalidations.increment()
            telemetry.invalidated.add(Double(count.integer ?? 0))
        } catch {
            telemetry.noteFailedInvalidation(error)
        }
    }

    private func keep(_ value: Value, _ key: CacheKey, _ script: RedisScript, changes: String) async {
        guard let data = try? JSONEncoder().encode(value), data.count <= configuration.maxValueBytes else {
            telemetry.tooLarge.increment()
            // A write must be announced all the same.
            if script === CacheScripts.write { await invalidate(key) }
            return
        }
        let lifetime = configuration.lifetimeSeconds * 1_000
        do {
            let kept = try await run(
                script, [changesKey, indexKey, valuesPrefix + key.text],
                [
                    changes, key.text, String(decoding: data, as: UTF8.self),
                    "\(lifetime - .random(in: 0...lifetime / 10))", "\(configuration.maxEntries)",
                ])
            (kept.integer == 1 ? telemetry.kept : telemetry.outdated).increment()
        } catch {
            telemetry.failed.increment()
            if script === CacheScripts.write { telemetry.noteFailedInvalidation(error) }
        }
    }

    // MARK: Redis, unless it is away

    /// Tells of a change even when the request that made it has used up its time.
    private func run(_ script: RedisScript, _ keys: [String], _ arguments: [String]) async throws -> RedisValue {
        try await TelemetryContext.$current.withValue(.current.withoutDeadline) {
            try await redis.run(script, keys: keys, arguments: arguments)
        }
    }

    private static var policy: CircuitBreaker.Policy {
        var policy = CircuitBreaker.Policy()
        policy.openNanoseconds = 1_000_000_000
        policy.trialCalls = 1
        return policy
    }

    private static var now: UInt64 { TelemetryClock.system.monotonicNanoseconds() }

    private func guarded<T>(_ body: () async throws -> T) async -> T? {
        guard breaker.withLock({ $0.admits(now: Self.now) }) else { return nil }
        do {
            let result = try await body()
            breaker.withLock { $0.record(success: true, now: Self.now) }
            return result
        } catch is CancellationError {
            breaker.withLock { $0.abandon() }
            return nil
        } catch {
            breaker.withLock { $0.record(success: false, now: Self.now) }
            return nil
        }
    }

    private var changesKey: String { "cache:{\(name)}:changes" }
    private var indexKey: String { "cache:{\(name)}:index" }
    private var valuesPrefix: String { "cache:{\(name)}:value:" }
}
