internal import Consul
internal import EventLoop
internal import Resilience
internal import Synchronization
internal import Telemetry

/// Keeps one running instance registered with Consul: tries until it is, looks now and then whether the agent still knows
/// it (one that restarted does not), and takes it out first thing when the service stops. Whatever Consul does, the
/// service works.
final class ConsulRegistration: Sendable {
    private let client: ConsulClient
    private let registration: ServiceRegistration
    private let settings: ConsulSettings
    private let logger: Logger
    private let registered: GaugeSeries
    private let task = Mutex<Task<Void, Never>?>(nil)

    private static let leaveSeconds = 2

    /// - Parameter metrics: those of the process, where requests to Consul are counted.
    init(
        _ registration: ServiceRegistration, settings: ConsulSettings, group: EventLoopGroup, telemetry: Telemetry,
        metrics: MetricRegistry
    ) {
        self.registration = registration
        self.settings = settings
        client = ConsulClient(
            configuration: settings.client, group: group, telemetry: telemetry, metrics: metrics)
        logger = telemetry.logger.named("discovery")
        registered = telemetry.metrics.gauge(DiscoveryTelemetry.registered).series()
        registered.set(0)
    }

    /// Begins, and does not wait for Consul.
    func start(on loop: EventLoop) {
        let running = TelemetryContext.$current.withValue(TelemetryContext()) {
            loop.spawn { [self] in await keep(loop) }
        }
        task.withLock { $0 = running }
    }

    private func keep(_ loop: EventLoop) async {
        var isKnown = false
        var failures = 0
        while !Task.isCancelled {
            var pause = settings.checkIntervalSeconds * Int.random(in: 900...1_100)
            do {
                if isKnown { isKnown = try await client.isRegistered(registration.id) }
                if !isKnown {
                    registered.set(0)
                    try await client.register(registration)
                    logger.log(
                        DiscoveryTelemetry.joined, "registered as \(registration.id) at \(registration.address)")
                }
                (isKnown, failures) = (true, 0)
                registered.set(1)
            } catch let error as ConsulError {
                if failures == 0 { tell(error) }
                failures += 1
                pause = min(pause, Backoff.ceiling(attempt: failures) / 2 + Backoff.milliseconds(attempt: failures) / 2)
            } catch {
                return
            }
            do { try await loop.sleep(milliseconds: UInt64(pause)) } catch { return }
        }
    }

    private func tell(_ error: ConsulError) {
        logger.log(
            DiscoveryTelemetry.registrationFailed, "Consul did not take the registration: \(error.errorType)",
            [
                Attribute(.errorType, .string(error.errorType)),
                Attribute(DiscoveryTelemetry.errorMessage, .string("\(error)")),
            ])
    }

    /// Takes the instance out, and waits until callers have heard of it. Consul that does not answer is not waited for.
    func leave() async {
        let running = task.withLock { task in
            defer { task = nil }
            return task
        }
        guard let running else { return }
        running.cancel()
        await running.value
        if await deregister() {
            logger.log(DiscoveryTelemetry.left, "no longer registered as \(registration.id)")
            try? await Task.sleep(nanoseconds: UInt64(settings.leaveMilliseconds) * 1_000_000)
        }
        registered.set(0)
        await client.shutdown()
    }

    /// - Returns: whether Consul heard it in time.
    private func deregister() async -> Bool {
        let isOut = Outcome()
        _ = await Deadline.run(seconds: Self.leaveSeconds) { [self] in
            do {
                try await client.deregister(registration.id)
                isOut.value.store(true, ordering: .relaxed)
            } catch {
                if let error = error as? ConsulError { tell(error) }
            }
        }
        return isOut.value.load(ordering: .relaxed)
    }

    private final class Outcome: Sendable {
        let value = Atomic<Bool>(false)
    }
}
