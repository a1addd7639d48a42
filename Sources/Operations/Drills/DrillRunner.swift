internal import EventLoop
internal import Glibc
internal import LocalStack
internal import Synchronization
internal import Telemetry

/// Brings faults about, waits for their alerts, ends the faults, and waits until the alerts are over.
package final class DrillRunner: Sendable {
    private let platform: DrillPlatform
    private let say: @Sendable (String) -> Void
    private let start = TelemetryClock.system.monotonicNanoseconds()

    private static let detectSeconds = 300.0
    private static let resolveSeconds = 300.0
    private static let backgroundSeconds = 1_200.0
    private static let pollMilliseconds: UInt64 = 200
    /// How long the fault of a cascade lasts after its first alert, so that there are enough bad events for all.
    private static let cascadeSeconds = 15.0
    private static let maxOutstanding = 400

    /// - Parameter say: prints a line of progress.
    package init(platform: DrillPlatform, say: @escaping @Sendable (String) -> Void) {
        self.platform = platform
        self.say = say
    }

    private var now: Double { Double(TelemetryClock.system.monotonicNanoseconds() - start) / 1e9 }

    private func tell(_ text: String) {
        let tenths = Int((now * 10).rounded())
        let time = "\(tenths / 10).\(tenths % 10)"
        say(String(repeating: " ", count: max(0, 7 - time.count)) + time + " s  " + text)
    }

    // MARK: All

    /// Starts the platform, runs the drills, ends it.
    /// - Throws: when the platform does not start.
    package func run(_ drills: [Drill]) async throws -> [DrillResult] {
        Self.raiseDescriptorLimit()
        let group = EventLoopGroup(count: 1)
        let workers = WorkerPool(threads: 8, name: "drills")
        defer {
            workers.shutdown()
            group.shutdown()
        }
        let stubs = try await DrillStubs(group: group, logPort: Ports.free())
        do {
            let results = try await run(drills, stubs, group, workers)
            try await workers.run { [platform] in platform.stop() }
            await stubs.stop()
            return results
        } catch {
            try? await workers.run { [platform] in platform.stop() }
            await stubs.stop()
            throw error
        }
    }

    private func run(
        _ drills: [Drill], _ stubs: DrillStubs, _ group: EventLoopGroup, _ workers: WorkerPool
    ) async throws -> [DrillResult] {
        let (collector, logstash) = (stubs.collectorURL, "127.0.0.1:\(stubs.logPort)")
        try await workers.run { [self] in
            try platform.start(
                overrides: { DrillCatalog.overrides(collector: collector, logstash: logstash, broker: $0) },
                say: { self.tell("starting " + $0) })
        }
        let tools = DrillTools(platform: platform, stubs: stubs, group: group, workers: workers)
        try await tools.prepare()
        let watch = AlertWatch(tools)
        let watching = Task { await watch.run() }
        // The watchdog shows that alerts arrive at all.
        guard await wait(Self.detectSeconds, { watch.row(.init("Watchdog"), "firing", after: 0) != nil }) else {
            watching.cancel()
            throw DrillError("no alert reaches notifications: see \(platform.folder.path)/logs")
        }
        tell("alerts reach notifications; \(drills.flatMap(\.alerts).count) alerts to drill")
        let results = await runPhases(drills, tools, watch)
        watching.cancel()
        await watching.value
        await tools.close()
        return results
    }

    private func runPhases(_ drills: [Drill], _ tools: DrillTools, _ watch: AlertWatch) async -> [DrillResult] {
        await withTaskGroup(of: [DrillResult].self) { background in
            for drill in drills where drill.phase == .background {
                background.addTask { await self.run(drill, tools, watch) }
            }
            var results: [DrillResult] = []
            for phase in Drill.Phase.allCases where phase != .background {
                // The watchdog's drill blinds all others.
                if phase == .watchdog { for await more in background { results += more } }
                await withTaskGroup(of: [DrillResult].self) { running in
                    for drill in drills where drill.phase == phase {
                        running.addTask { await self.run(drill, tools, watch) }
                    }
                    for await more in running { results += more }
                }
            }
            for await more in background { results += more }
            return results
        }
    }

    // MARK: One

    private func run(_ drill: Drill, _ tools: DrillTools, _ watch: AlertWatch) async -> [DrillResult] {
        let progress = Mutex(drill.expected.map { DrillResult(alert: $0.alert, cause: drill.cause) })
        let (first, last) = drill.isInverted ? ("resolved", "firing") : ("firing", "resolved")
        let baseline = watch.latest
        let began = now
        tell("\(drill.alerts.joined(separator: ", ")): \(drill.cause)")
        let traffic = Task { await self.drive(drill, tools) }
        var problem: String?
        do { try await drill.begin(tools) } catch { problem = "the fault cannot be brought about: \(error)" }

        @Sendable func note() {
            for (index, expected) in drill.expected.enumerated() {
                let seconds = now - began
                let isActive = watch.isActive(expected) != drill.isInverted
                let isTold = watch.row(expected, first, after: baseline) != nil
                let text: String? = progress.withLock { results in
                    if isActive || isTold, results[index].firedSeconds == nil { results[index].firedSeconds = seconds }
                    guard isTold, results[index].toldSeconds == nil else { return nil }
                    results[index].toldSeconds = seconds
                    return "\(expected.alert) \(drill.isInverted ? "is missed" : "fires")"
                }
                if let text { tell(text) }
            }
        }
        func areTold(_ count: Int) -> Bool {
            note()
            return progress.withLock { $0.count { $0.toldSeconds != nil } } >= count
        }

        let limit = drill.phase == .background ? Self.backgroundSeconds : Self.detectSeconds
        if problem == nil {
            _ = await wait(limit) { areTold(drill.isCascade ? 1 : drill.expected.count) }
            if drill.isCascade { _ = await wait(Self.cascadeSeconds) { areTold(drill.expected.count) } }
        }
        if !drill.keepsTraffic { traffic.cancel() }
        if !drill.keepsTraffic { await traffic.value }
        do { try await drill.end(tools) } catch { problem = problem ?? "the fault cannot be ended: \(error)" }
        let ended = now
        _ = await wait(drill.phase == .background ? Self.backgroundSeconds : Self.resolveSeconds) {
            note()
            for (index, expected) in drill.expected.enumerated() {
                guard let told = watch.row(expected, first, after: baseline),
                    watch.row(expected, last, after: told.lsn) != nil
                else { continue }
                let isNew = progress.withLock { results in
                    guard results[index].resolvedSeconds == nil else { return false }
                    results[index].resolvedSeconds = self.now - ended
                    return true
                }
                if isNew { tell("\(expected.alert) \(drill.isInverted ? "fires again" : "is over")") }
            }
            return progress.withLock { $0.allSatisfy { $0.resolvedSeconds != nil } } || problem != nil
        }
        traffic.cancel()
        await traffic.value
        return progress.withLock { results in
            results.map { result in
                var result = result
                result.problem = problem
                if result.problem == nil, result.toldSeconds == nil { result.problem = "it did not fire" }
                if result.problem == nil, result.resolvedSeconds == nil { result.problem = "it did not end" }
                if let problem = result.problem { tell("\(result.alert): \(problem)") }
                return result
            }
        }
    }

    /// Asks at an even rate, whatever the answers are.
    private func drive(_ drill: Drill, _ tools: DrillTools) async {
        guard let (perSecond, request) = drill.traffic else { return }
        let outstanding = Outstanding()
        let tickMilliseconds = max(20, min(1_000, 1_000 / perSecond))
        await withDiscardingTaskGroup { group in
            var due = 0.0
            while !Task.isCancelled {
                due += perSecond * tickMilliseconds / 1_000
                while due >= 1 {
                    due -= 1
                    let mayStart = outstanding.begin(atMost: Self.maxOutstanding)
                    guard mayStart else { continue }
                    group.addTask {
                        _ = try? await request(tools)
                        outstanding.end()
                    }
                }
                try? await Task.sleep(nanoseconds: UInt64(tickMilliseconds * 1e6))
            }
            group.cancelAll()
        }
    }

    private func wait(_ seconds: Double, _ isDone: () -> Bool) async -> Bool {
        let end = now + seconds
        while now < end {
            if isDone() { return true }
            try? await Task.sleep(nanoseconds: Self.pollMilliseconds * 1_000_000)
        }
        return isDone()
    }

    /// Idle connections to a service take descriptors here as well.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 8_192)
        _ = setrlimit(__rlimit_resource_t(7), &limit)
    }
}

/// Requests that were begun and have not ended.
private final class Outstanding: Sendable {
    private let count = Mutex(0)

    func begin(atMost limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}
