package import EventLoop
internal import Shopping
internal import Telemetry
internal import Synchronization

/// Puts a plan's load on a platform: signs the shoppers in, then begins each session when it is due.
package final class LoadRunner: Sendable {
    package let tally = LoadTally()
    private let plan: LoadPlan
    private let client: ShopClient
    private let loop: EventLoop
    private let free = Mutex<[String]>([])

    private static let password = "Shopper1load"
    /// Fewer than the gateway lets one address sign in a second.
    private static let signInsPerSecond = 8

    /// - Parameter gateway: `http://host:port`.
    package init(_ plan: LoadPlan, gateway: String, group: EventLoopGroup) {
        self.plan = plan
        client = ShopClient(gateway: gateway, group: group)
        loop = group.loops[0]
    }

    /// Makes the accounts that are missing, and signs all in.
    /// - Parameter progress: how many are signed in.
    /// - Throws: `ShopError`, `HTTPClientError`.
    package func signIn(_ progress: @Sendable (Int) -> Void) async throws {
        for number in 1...plan.shoppers {
            let name = "load-\(number)@example.com"
            let start = TelemetryClock.system.monotonicNanoseconds()
            let token: String
            do { token = try await client.signIn(name, Self.password) } catch is ShopError {
                let answer = try await client.register(name, password: Self.password, name: "Load \(number)")
                guard answer.status == 201 else {
                    throw ShopError("registering a shopper failed with status \(answer.status)")
                }
                token = try await client.signIn(name, Self.password)
            }
            free.withLock { $0.append(token) }
            progress(number)
            let taken = TelemetryClock.system.monotonicNanoseconds() - start
            let least = UInt64(1_000_000_000 / Self.signInsPerSecond)
            if taken < least { try await Task.sleep(nanoseconds: least - taken) }
        }
    }

    /// Begins every session when it is due, and waits until all have ended.
    /// - Parameter categories: what shoppers look at; one or more.
    /// - Throws: `CancellationError`.
    package func run(categories: [String]) async throws {
        let arrivals = plan.arrivals()
        try await loop.run { [self] in
            var random = SeededRandom(seed: plan.seed ^ 0x5DEE_CE66)
            let start = TelemetryClock.system.monotonicNanoseconds()
            try await withThrowingTaskGroup(of: Void.self) { sessions in
                for arrival in arrivals {
                    let due = start + arrival
                    let now = TelemetryClock.system.monotonicNanoseconds()
                    if due > now { try await Task.sleep(nanoseconds: due - now) }
                    begin(&sessions, categories, due, random.fork())
                }
                try await sessions.waitForAll()
            }
        }
    }

    package func close() async { await client.close() }

    private func begin(
        _ sessions: inout ThrowingTaskGroup<Void, any Error>, _ categories: [String], _ due: UInt64,
        _ random: SeededRandom
    ) {
        var random = random
        let kind = SessionKind.random(&random)
        let isFull = tally.snapshot.underWay >= LoadPlan.maxConcurrent
        // A cart belongs to one visit at a time; whoever only looks may share an account.
        guard !isFull, let token = take(exclusively: kind != .browses) else {
            return tally.change { $0.skipped += 1 }
        }
        tally.change {
            $0.begun += 1
            $0.underWay += 1
        }
        var session = LoadSession(
            client: client, tally: tally, token: token, kind: kind, categories: categories, due: due,
            pauseMilliseconds: plan.pauseMilliseconds, random: random)
        sessions.addTask { [self] in
            await session.run()
            tally.change { $0.underWay -= 1 }
            if kind != .browses { free.withLock { $0.insert(token, at: 0) } }
        }
    }

    private func take(exclusively: Bool) -> String? {
        free.withLock { exclusively ? $0.popLast() : $0.last }
    }
}
