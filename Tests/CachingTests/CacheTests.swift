import Caching
import EventLoop
import LocalStack
import Redis
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// How often something has happened.
private final class Count: Sendable {
    private let count = Atomic(0)
    func add() { count.add(1, ordering: .acquiringAndReleasing) }
    var value: Int { count.load(ordering: .acquiring) }
}

/// A cache against a real Redis: what is kept, what is forgotten, and what must never be seen again.
@Suite struct CacheTests {
    private struct Item: Codable, Sendable, Hashable {
        var name: String
        var count = 0
    }

    private final class Store: Sendable {
        let item: Mutex<Item>
        init(_ item: Item) { self.item = Mutex(item) }
    }

    /// A cache of a name of its own, so that tests share a Redis.
    private struct Shelf: Sendable {
        let name: String
        let cache: Cache<Item>
        let redis: RedisClient
        let capture: TelemetryCapture

        func value(_ metric: String, _ outcome: String) -> Double? {
            capture.value(#"\#(metric){cache="\#(name)",outcome="\#(outcome)"}"#)
        }
    }

    private func withShelf(
        url: String? = nil, configure: (inout Cache<Item>.Configuration) -> Void = { _ in },
        _ body: (Shelf) async throws -> Void
    ) async throws {
        let server: String
        if let url { server = url } else { server = try await TestServers.redis() }
        let group = EventLoopGroup(count: 2)
        let capture = TelemetryCapture()
        let redis = RedisClient(configuration: .init(url: server), group: group, telemetry: capture.telemetry)
        let name = "test.\(UInt64.random(in: 0 ... .max))"
        var configuration = Cache<Item>.Configuration()
        configure(&configuration)
        let cache = Cache<Item>(name, redis: redis, telemetry: capture.telemetry, configuration: configuration)
        do {
            try await body(Shelf(name: name, cache: cache, redis: redis, capture: capture))
        } catch {
            await redis.stop()
            group.shutdown()
            throw error
        }
        await redis.stop()
        group.shutdown()
    }

    private func key(_ part: String, company: String? = "alpha") -> CacheKey { CacheKey(company: company, part) }

    /// Whether a value is kept: it is not loaded when it is asked for.
    private func isKept(_ key: CacheKey, _ shelf: Shelf) async throws -> Bool {
        let wasLoaded = Count()
        _ = try await shelf.cache.value(key) {
            wasLoaded.add()
            return Item(name: "loaded to see whether it is kept")
        }
        return wasLoaded.value == 0
    }

    @Test func aValueIsLoadedOnceAndThenKept() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let item = Item(name: "ärgerlich \"北京\"\n", count: 7)
            #expect(try await shelf.cache.value(key("a")) { item } == item)
            #expect(try await shelf.cache.value(key("a")) { Item(name: "never") } == item)
            #expect(shelf.value("cache_requests_total", "miss") == 1)
            #expect(shelf.value("cache_requests_total", "hit") == 1)
            #expect(shelf.value("cache_stores_total", "kept") == 1)
        }
    }

    @Test func anEntryEndsByItself() async throws {
        try await withShelf {
            $0.lifetimeSeconds = 1
        } _: { (shelf: Shelf) async throws in
            _ = try await shelf.cache.value(key("a")) { Item(name: "old") }
            let milliseconds = try await shelf.redis.command("PTTL", "cache:{\(shelf.name)}:value:alpha/a").integer ?? 0
            #expect((0...1_000).contains(milliseconds))
            #expect(await eventually { (try? await isKept(key("a"), shelf)) == false })
        }
    }

    @Test func errorsOfTheLoadAreThrownAndNotKept() async throws {
        struct Unknown: Error {}
        try await withShelf { (shelf: Shelf) async throws in
            await #expect(throws: Unknown.self) { _ = try await shelf.cache.value(key("a")) { throw Unknown() } }
            #expect(try await shelf.cache.value(key("a")) { Item(name: "there") }.name == "there")
        }
    }

    @Test func companiesNeverSeeEachOthersEntries() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            for company in ["alpha", "beta", nil] {
                let item = Item(name: company ?? "platform")
                #expect(try await shelf.cache.value(key("a", company: company)) { item } == item)
            }
            // Parts cannot be made to look like a company and its parts.
            #expect(try await !isKept(CacheKey(company: nil, "alpha", "a"), shelf))
            #expect(try await !isKept(CacheKey(company: "alpha/a"), shelf))
            #expect(try await shelf.cache.value(key("a", company: "beta")) { Item(name: "never") }.name == "beta")
        }
    }

    // MARK: Forgetting

    @Test func onlyWhatAPatternNamesIsForgotten() async throws {
        let all = [
            CacheKey(company: "alpha", "lists", "tools", "1"), CacheKey(company: "alpha", "lists", "tools", "2"),
            CacheKey(company: "alpha", "lists", "toolsets", "1"), CacheKey(company: "alpha", "lists", "clocks", "1"),
            CacheKey(company: "beta", "lists", "tools", "1"), CacheKey(company: "alpha", "other", "tools", "1"),
            CacheKey(company: "alpha", "lists", "*", "1"),
        ]
        let patterns: [(CachePattern, [Int])] = [
            (CachePattern(company: "alpha", "lists", "tools"), [0, 1]),
            (CachePattern(company: "alpha", .any, "tools"), [0, 1, 5]),
            (CachePattern(company: "alpha", "lists", .exactly("*")), [6]),
            (CachePattern(everyCompany: "lists", "tools"), [0, 1, 4]),
            (CachePattern(company: "alpha"), [0, 1, 2, 3, 5, 6]),
            (CachePattern(company: nil), []),
            (.all, [0, 1, 2, 3, 4, 5, 6]),
        ]
        for (pattern, gone) in patterns {
            try await withShelf { (shelf: Shelf) async throws in
                for key in all { _ = try await shelf.cache.value(key) { Item(name: "x") } }
                await shelf.cache.invalidate(pattern)
                #expect(
                    shelf.capture.value(#"cache_entries_invalidated_total{cache="\#(shelf.name)"}"#)
                        == Double(gone.count))
                for (index, key) in all.enumerated() {
                    #expect(try await isKept(key, shelf) == !gone.contains(index), "\(pattern) \(index)")
                }
            }
        }
    }

    @Test func thousandsOfEntriesAreForgottenAtOnce() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for index in 0..<3_000 {
                    tasks.addTask { _ = try await shelf.cache.value(key("\(index)")) { Item(name: "x") } }
                }
                try await tasks.waitForAll()
            }
            await shelf.cache.invalidate(CachePattern(company: "alpha"))
            #expect(shelf.capture.value(#"cache_entries_invalidated_total{cache="\#(shelf.name)"}"#) == 3_000)
            let left = try await shelf.redis.keys(matching: "cache:{\(shelf.name)}:value:*", limit: 10)
            #expect(left.isEmpty)
        }
    }

    @Test func whatWasLoadedBeforeAChangeIsNotKeptAfterIt() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let item = try await shelf.cache.value(key("a")) {
                // Read from the store of record; then somebody commits a change and says so.
                let old = Item(name: "old")
                await shelf.cache.invalidate(key("a"))
                return old
            }
            #expect(item.name == "old")
            #expect(shelf.value("cache_stores_total", "outdated") == 1)
            #expect(try await shelf.cache.value(key("a")) { Item(name: "new") }.name == "new")
        }
    }

    @Test func whoComesAfterAChangeDoesNotShareALoadFromBeforeIt() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let isLoading = Count()
            let mayEnd = Count()
            async let first = shelf.cache.value(key("a")) {
                isLoading.add()
                _ = await eventually { mayEnd.value > 0 }
                return Item(name: "old")
            }
            #expect(await eventually { isLoading.value > 0 })
            await shelf.cache.invalidate(key("a"))
            #expect(try await shelf.cache.value(key("a")) { Item(name: "new") }.name == "new")
            mayEnd.add()
            #expect(try await first.name == "old")
            #expect(try await shelf.cache.value(key("a")) { Item(name: "never") }.name == "new")
        }
    }

    @Test func theSoonestToEndMakeRoom() async throws {
        try await withShelf {
            $0.maxEntries = 10
            $0.lifetimeSeconds = 1_000
        } _: { (shelf: Shelf) async throws in
            for index in 0..<50 { _ = try await shelf.cache.value(key("\(index)")) { Item(name: "x") } }
            #expect(try await shelf.redis.keys(matching: "cache:{\(shelf.name)}:value:*", limit: 100).count == 10)
            #expect(try await shelf.redis.command("ZCARD", "cache:{\(shelf.name)}:index").integer == 10)
        }
    }

    @Test func aValueThatIsTooLargeIsNotKept() async throws {
        try await withShelf {
            $0.maxValueBytes = 100
        } _: { (shelf: Shelf) async throws in
            let large = Item(name: String(repeating: "x", count: 200))
            #expect(try await shelf.cache.value(key("a")) { large } == large)
            #expect(shelf.value("cache_stores_total", "too_large") == 1)
            #expect(try await !isKept(key("a"), shelf))
            // Written, it makes what was kept before outdated all the same.
            #expect(try await shelf.cache.write(key("a")) { large } == large)
            #expect(try await !isKept(key("a"), shelf))
        }
    }

    // MARK: Writing through

    @Test func whatIsWrittenIsKept() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            _ = try await shelf.cache.value(key("a")) { Item(name: "old") }
            _ = try await shelf.cache.write(key("a")) { Item(name: "new") }
            #expect(try await shelf.cache.value(key("a")) { Item(name: "never") }.name == "new")
        }
    }

    @Test func ofTwoWhoWriteAtOnceNeitherIsBelieved() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            // The second to commit says so first.
            _ = try await shelf.cache.write(key("a")) {
                _ = try await shelf.cache.write(key("a")) { Item(name: "second") }
                return Item(name: "first")
            }
            #expect(try await !isKept(key("a"), shelf))
        }
    }

    @Test func aWriteThatFailedForgetsWhatWasKept() async throws {
        struct Broken: Error {}
        try await withShelf { (shelf: Shelf) async throws in
            _ = try await shelf.cache.value(key("a")) { Item(name: "old") }
            await #expect(throws: Broken.self) { _ = try await shelf.cache.write(key("a")) { throw Broken() } }
            #expect(try await !isKept(key("a"), shelf))
        }
    }

    /// Writers and readers at once: whatever interleaving, what is kept in the end is what the store has.
    @Test func theCacheNeverDisagreesWithTheStoreForLong() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let store = Store(Item(name: "a"))
            for _ in 0..<20 {
                await withTaskGroup(of: Void.self) { tasks in
                    for index in 0..<8 {
                        tasks.addTask {
                            if index % 2 == 0 {
                                _ = try? await shelf.cache.value(key("a")) {
                                    let read = store.item.withLock { $0 }
                                    await Task.yield()
                                    return read
                                }
                            } else {
                                _ = try? await shelf.cache.write(key("a")) {
                                    let written = store.item.withLock { item in
                                        item.count += 1
                                        return item
                                    }
                                    await Task.yield()
                                    return written
                                }
                            }
                        }
                    }
                }
                let truth = store.item.withLock { $0 }
                #expect(try await shelf.cache.value(key("a")) { truth } == truth)
            }
        }
    }

    // MARK: Together

    @Test func aHundredWhoMissTogetherLoadOnce() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let loads = Count()
            try await withThrowingTaskGroup(of: Item.self) { tasks in
                for _ in 0..<100 {
                    tasks.addTask {
                        try await shelf.cache.value(key("a")) {
                            loads.add()
                            // Until the others wait for it, or have found it.
                            _ = await eventually(seconds: 1) {
                                (shelf.capture.value(#"redis_commands_total{command="MGET",outcome="success"}"#) ?? 0)
                                    >= 100
                            }
                            return Item(name: "once")
                        }
                    }
                }
                for try await item in tasks { #expect(item.name == "once") }
            }
            #expect(loads.value == 1)
            let shared = shelf.value("cache_requests_total", "shared") ?? 0
            #expect(shared + (shelf.value("cache_requests_total", "hit") ?? 0) == 99)
        }
    }

    @Test func whenTheOneWhoLoadsIsCancelledAnotherLoads() async throws {
        try await withShelf { (shelf: Shelf) async throws in
            let isLoading = Count()
            let first = Task {
                try await shelf.cache.value(key("a")) {
                    isLoading.add()
                    try await Task.sleep(nanoseconds: 600_000_000_000)
                    return Item(name: "never")
                }
            }
            #expect(await eventually { isLoading.value > 0 })
            let second = Task { try await shelf.cache.value(key("a")) { Item(name: "second") } }
            let third = Task { try await shelf.cache.value(key("a")) { Item(name: "third") } }
            third.cancel()
            await #expect(throws: CancellationError.self) { _ = try await third.value }
            first.cancel()
            #expect(try await second.value.name == "second")
            await #expect(throws: CancellationError.self) { _ = try await first.value }
        }
    }

    // MARK: Without Redis

    @Test func withoutRedisEveryValueIsLoadedAndNobodyWaits() async throws {
        // A port that nobody listens on.
        try await withShelf(url: "redis://127.0.0.1:\(try Ports.free())") { (shelf: Shelf) async throws in
            for _ in 0..<200 { #expect(try await shelf.cache.value(key("a")) { Item(name: "x") }.name == "x") }
            #expect(shelf.value("cache_requests_total", "bypass") == 200)
            #expect(try await shelf.cache.write(key("a")) { Item(name: "y") }.name == "y")
            await shelf.cache.invalidate(.all)
            #expect(shelf.value("cache_invalidations_total", "error") == 2)
            #expect(shelf.capture.logLines.contains { $0.contains("cache.invalidation_failed") })
            // After a few failures Redis is not asked for every value.
            let asked = shelf.capture.value(#"redis_commands_total{command="MGET",outcome="error"}"#) ?? 0
            #expect(asked < 100)
        }
    }
}
