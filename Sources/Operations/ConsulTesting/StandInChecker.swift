internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import Synchronization
internal import Telemetry

/// Asks registered services whether they are well, each at its interval, over HTTP: 2xx passes, 429 warns, all else is
/// critical, and who is critical for too long is forgotten.
final class StandInChecker: Sendable {
    private let store: StandInStore
    private let client: HTTPClient
    private let tasks = Mutex<[String: Task<Void, Never>]>([:])

    /// Consul takes no less.
    private static let minDeregisterMilliseconds = 60_000

    init(store: StandInStore, group: EventLoopGroup) {
        self.store = store
        client = HTTPClient(group: group, telemetry: nil)
    }

    func begin(_ service: StandInStore.Service) {
        guard !service.checks.isEmpty else { return end(service.id) }
        let task = Task.detached { [self] in
            await withTaskGroup(of: Void.self) { group in
                for index in service.checks.indices {
                    group.addTask { await self.repeatCheck(index, of: service) }
                }
            }
        }
        tasks.withLock { tasks in
            tasks[service.id]?.cancel()
            tasks[service.id] = task
        }
    }

    private func repeatCheck(_ index: Int, of service: StandInStore.Service) async {
        let check = service.checks[index]
        while !Task.isCancelled {
            do { try await Task.sleep(nanoseconds: UInt64(check.intervalMilliseconds) * 1_000_000) } catch { return }
            let (status, output) = await ask(check)
            guard !Task.isCancelled, let now = store.note(status, output, of: service, check: index) else { return }
            if Self.isHopeless(now.checks[index]) {
                _ = store.deregister(now.id)
                return
            }
        }
    }

    func end(_ id: String) { tasks.withLock { $0.removeValue(forKey: id) }?.cancel() }

    func stop() {
        let running = tasks.withLock { tasks in
            defer { tasks = [:] }
            return Array(tasks.values)
        }
        for task in running { task.cancel() }
    }

    func resume() { for service in store.services { begin(service) } }

    private func ask(_ check: StandInStore.Check) async -> (String, String) {
        // `http://host:port` and the rest.
        let parts = check.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return ("critical", "unsupported URL") }
        let target = parts.count > 3 ? "/" + parts[3] : "/"
        do {
            let response = try await TelemetryContext.$current.withValue(TelemetryContext()) {
                try await client.send(
                    HTTPRequest(method: .get, target: target), to: parts[..<3].joined(separator: "/"),
                    timeoutMilliseconds: check.timeoutMilliseconds)
            }
            _ = try? await response.body.collect(upTo: 64 * 1024)
            let output = "HTTP GET \(check.url): \(response.status.code)"
            switch response.status.code {
            case 200...299: return ("passing", output)
            case 429: return ("warning", output)
            default: return ("critical", output)
            }
        } catch {
            return ("critical", "Get \"\(check.url)\": \(error)")
        }
    }

    private static func isHopeless(_ check: StandInStore.Check) -> Bool {
        guard check.deregisterAfterMilliseconds > 0, let since = check.criticalSince else { return false }
        let limit = max(check.deregisterAfterMilliseconds, minDeregisterMilliseconds)
        return TelemetryClock.system.monotonicNanoseconds() > since + UInt64(limit) * 1_000_000
    }
}
