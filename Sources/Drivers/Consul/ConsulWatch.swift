internal import EventLoop
internal import Synchronization
internal import Telemetry

/// Something that Consul is asked about over and over by blocking queries, until `stop`. Runs on one loop; what was known
/// last stays while Consul does not answer.
package final class ConsulWatch: Sendable {
    /// What a watch tells, one after the other.
    package enum Event<Value: Sendable>: Sendable {
        /// How it is now; told once when the watch begins, then at each change.
        case value(Value)
        /// Consul did not answer; the watch goes on.
        case failed(ConsulError)
    }

    private let task = Mutex<Task<Void, Never>?>(nil)

    /// Ends the watch and waits for its question under way. Again, this does nothing.
    package func stop() async {
        let running = task.withLock { task in
            defer { task = nil }
            return task
        }
        running?.cancel()
        await running?.value
    }

    fileprivate func begin(_ running: Task<Void, Never>) { task.withLock { $0 = running } }
}

extension ConsulClient {
    /// Watches the healthy instances of a service. Any server may answer (`stale`): discovery goes on without a leader.
    /// - Parameter handler: is called on one of the loops, and must not block it.
    package func watch(
        service: String, pace: BlockingQuery.Pace = .init(),
        _ handler: @escaping @Sendable (ConsulWatch.Event<[ServiceInstance]>) -> Void
    ) -> ConsulWatch {
        let target = healthTarget(service, .stale)
        return watch("service:" + service, "health.watch", target, pace, handler) { answer throws(ConsulError) in
            // A service that nobody knows has no instances; 404 would be another API.
            guard !answer.isMissing else { throw .answered(status: 404) }
            return try Self.instances(answer)
        }
    }

    /// Watches every key that begins with a prefix.
    /// - Parameter handler: is called on one of the loops, with all keys and values, and must not block it.
    package func watch(
        prefix: String, pace: BlockingQuery.Pace = .init(),
        _ handler: @escaping @Sendable (ConsulWatch.Event<[KeyValueEntry]>) -> Void
    ) -> ConsulWatch {
        watch("kv:" + prefix, "kv.watch", listTarget(prefix, .usual), pace, handler) { answer throws(ConsulError) in
            try Self.entries(answer)
        }
    }

    private func watch<Value: Sendable & Equatable>(
        _ name: String, _ operation: String, _ target: String, _ pace: BlockingQuery.Pace,
        _ handler: @escaping @Sendable (ConsulWatch.Event<Value>) -> Void,
        _ read: @escaping @Sendable (Answer) throws(ConsulError) -> Value
    ) -> ConsulWatch {
        let watch = ConsulWatch()
        let loop = group.next()
        watch.begin(
            // Of no request: whoever happens to ask first must not lend it a deadline.
            TelemetryContext.$current.withValue(TelemetryContext()) {
                loop.spawn { [self] in await run(name, operation, target, pace, loop, handler, read) }
            })
        return watch
    }

    private func run<Value: Sendable & Equatable>(
        _ name: String, _ operation: String, _ target: String, _ pace: BlockingQuery.Pace, _ loop: EventLoop,
        _ handler: @Sendable (ConsulWatch.Event<Value>) -> Void, _ read: @Sendable (Answer) throws(ConsulError) -> Value
    ) async {
        var query = BlockingQuery(pace: pace, now: Self.now)
        var known: Value?
        var isLost = false
        while !Task.isCancelled {
            do {
                let answer = try await wait(operation, target, index: query.index, waitMilliseconds: waitMilliseconds)
                let value = try read(answer)
                query.received(index: answer.index, now: Self.now)
                telemetry.noteContact(name)
                if isLost { telemetry.noteRestored(name) }
                isLost = false
                if value != known {
                    known = value
                    telemetry.noteUpdate(name)
                    handler(.value(value))
                }
            } catch let error as ConsulError {
                telemetry.noteFailure(name, error)
                if !isLost { telemetry.noteLost(name, error) }
                isLost = true
                query.failed(jitter: .random(in: 0...1), now: Self.now)
                handler(.failed(error))
            } catch {
                return
            }
            guard query.pauseMilliseconds > 0 else { continue }
            do { try await loop.sleep(milliseconds: UInt64(query.pauseMilliseconds)) } catch { return }
        }
    }

    /// Up to a tenth shorter by chance, so that watches which began together do not all ask together.
    private var waitMilliseconds: Int { configuration.waitSeconds * Int.random(in: 900...1_000) }

    private static var now: UInt64 { TelemetryClock.system.monotonicNanoseconds() }
}
