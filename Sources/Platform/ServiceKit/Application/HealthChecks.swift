internal import EventLoop
internal import Synchronization
internal import Telemetry

/// Something that a service needs, and how to ask whether it is there.
struct HealthCheck: Sendable {
    let name: String
    /// Whether the service cannot answer without it. What only delays (a broker behind an outbox) degrades.
    let isCritical: Bool
    /// Throws when it is down.
    let run: @Sendable () async throws -> Void
}

/// Asks what a service needs, at most once a second however often it is asked itself.
final class HealthChecks: Sendable {
    enum Status: String, Sendable { case up, degraded, down }

    struct Report: Sendable {
        /// By name; nil when it is up, else what is wrong.
        var problems: [(name: String, problem: String?)]
        var status: Status
    }

    private static let freshNanoseconds: UInt64 = 1_000_000_000
    private static let timeoutMilliseconds: UInt64 = 1_000

    private struct State: Sendable {
        var isServing = false
        var last: (report: Report, at: UInt64)?
        var running: Task<Report, Never>?
    }

    private let checks: [HealthCheck]
    private let state = Mutex(State())

    init(_ checks: [HealthCheck]) { self.checks = checks }

    /// Whether the service takes requests: false while it starts and while it drains.
    var isServing: Bool {
        get { state.withLock { $0.isServing } }
        set { state.withLock { $0.isServing = newValue } }
    }

    /// How everything is; not older than a second.
    func report() async -> Report {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let (fresh, running): (Report?, Task<Report, Never>?) = state.withLock { state in
            if let last = state.last, now - last.at < Self.freshNanoseconds { return (last.report, nil) }
            if let running = state.running { return (nil, running) }
            // Of no request: a probe that goes away must not cancel what others wait for.
            let task = Task.detached { [self] in await runAll() }
            state.running = task
            return (nil, task)
        }
        if let fresh { return fresh }
        guard let running else { return Report(problems: [], status: .down) }
        return await running.value
    }

    private func runAll() async -> Report {
        let problems = await withTaskGroup(of: (Int, String?).self) { group in
            for (index, check) in checks.enumerated() {
                group.addTask { (index, await Self.problem(of: check)) }
            }
            var problems = [String?](repeating: nil, count: checks.count)
            for await (index, problem) in group { problems[index] = problem }
            return problems
        }
        let named = zip(checks, problems).map { ($0.name, $1) }
        let isDown = zip(checks, problems).contains { $0.isCritical && $1 != nil }
        let isDegraded = problems.contains { $0 != nil }
        let report = Report(problems: named, status: isDown ? .down : isDegraded ? .degraded : .up)
        state.withLock { state in
            state.last = (report, TelemetryClock.system.monotonicNanoseconds())
            state.running = nil
        }
        return report
    }

    /// Says what is wrong without what an error may quote.
    private static func problem(of check: HealthCheck) async -> String? {
        await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    // Probes come all day: they make no traces.
                    try await TelemetryContext.$current.withValue(.unsampled) { try await check.run() }
                    return nil
                } catch {
                    return HTTPError.type(of: error)
                }
            }
            group.addTask {
                try? await Task.sleep(nanoseconds: timeoutMilliseconds * 1_000_000)
                return "timeout"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
