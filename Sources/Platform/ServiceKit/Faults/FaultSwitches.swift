internal import EventLoop
internal import Glibc
internal import PostgreSQL
internal import Synchronization
internal import Telemetry

/// The faults of one service that are switched on. Whoever may meet a fault holds an optional of this: nil, and with it
/// no cost, unless faults are enabled by configuration.
package final class FaultSwitches: Sendable {
    private let settings = Mutex<[Fault: FaultSetting]>([:])
    private let telemetry: Telemetry
    private let group: EventLoopGroup
    private let database: PostgreSQLClient?
    private let connections: Int
    private let ballast = Mutex(Ballast())

    private static let pollMilliseconds: UInt64 = 50
    /// Shorter than what PostgreSQL allows a transaction to idle.
    private static let keepAliveMilliseconds: UInt64 = 500
    static let maxBallastMiB = 16_384.0
    static let maxLabels = 100_000.0
    static let maxMilliseconds = 60_000.0

    /// - Parameter connections: of the database pool, a loop.
    init(telemetry: Telemetry, group: EventLoopGroup, database: PostgreSQLClient?, connections: Int) {
        self.telemetry = telemetry
        self.group = group
        self.database = database
        self.connections = connections
    }

    /// The setting of a fault; nil when it is off.
    package subscript(_ fault: Fault) -> FaultSetting? { settings.withLock { $0[fault] } }

    /// Whether a fault that concerns `what` hits now.
    package func hits(_ fault: Fault, _ what: String = "") -> Bool {
        guard let setting = self[fault] else { return false }
        return setting.concerns(what) && setting.hits
    }

    var active: [Fault: FaultSetting] { settings.withLock { $0 } }

    // MARK: Switching

    func turnOn(_ fault: Fault, _ setting: FaultSetting) {
        let isNew = settings.withLock { settings in
            defer { settings[fault] = setting }
            return settings[fault] == nil
        }
        note(fault, isOn: true)
        switch fault {
        case .busyPool where isNew: holdConnections()
        case .ballast: ballast.withLock { $0.hold(mebibytes: Int(min(setting.amount, Self.maxBallastMiB))) }
        case .labels: flood(Int(min(setting.amount, Self.maxLabels)))
        default: break
        }
    }

    func turnOff(_ fault: Fault) {
        guard settings.withLock({ $0.removeValue(forKey: fault) }) != nil else { return }
        note(fault, isOn: false)
        if fault == .ballast { ballast.withLock { $0.hold(mebibytes: 0) } }
    }

    private func note(_ fault: Fault, isOn: Bool) {
        telemetry.metrics.gauge(FaultTelemetry.active).series(fault.rawValue).set(isOn ? 1 : 0)
        telemetry.logger.log(
            FaultTelemetry.switched, "the fault '\(fault.rawValue)' is \(isOn ? "on" : "off")",
            [Attribute(FaultTelemetry.faultLabel, .string(fault.rawValue))])
    }

    // MARK: Where faults are met

    /// Puts the faults before every handler, and adds the switches themselves.
    func guardAll(_ routes: inout [Route], _ fallback: inout RequestPipeline.Fallback?) {
        routes = routes.map { route in
            Route(
                method: route.method, template: route.template, access: route.access, shape: route.shape,
                maxBodyBytes: route.maxBodyBytes, isQuiet: route.isQuiet,
                handler: guarding(route.handler, template: route.template, isQuiet: route.isQuiet))
        }
        let switches = RouteGroup(prefix: FaultRoutes.prefix, shape: .problem)
        FaultRoutes(faults: self).declare(switches)
        routes += switches.routes
        if let known = fallback {
            fallback = RequestPipeline.Fallback(
                templates: known.templates, template: known.template, maxBodyBytes: known.maxBodyBytes,
                handler: guarding(known.handler, template: "", isQuiet: false))
        }
    }

    /// A handler that meets faults first.
    private func guarding(_ handler: RouteHandler, template: String, isQuiet: Bool) -> RouteHandler {
        .waiting { [self] request in
            if isQuiet {
                if let setting = self[.slowScrapes] { try await pause(milliseconds: setting.amount) }
            } else {
                if let setting = self[.latency], setting.concerns(template) {
                    try await pause(milliseconds: setting.amount)
                }
                if hits(.errors, template) { throw InjectedFault(fault: .errors) }
            }
            return try await handler.response(to: request)
        }
    }

    /// Waits while consumers of this event are paused; whether its handler must fail afterwards.
    func meetConsumer(_ event: String) async -> Bool {
        while let setting = self[.pausedConsumers], setting.concerns(event), !Task.isCancelled {
            try? await Task.sleep(nanoseconds: Self.pollMilliseconds * 1_000_000)
        }
        return hits(.failingConsumers, event)
    }

    func meetJob(_ name: String) throws {
        if hits(.failingJobs, name) { throw InjectedFault(fault: .failingJobs) }
    }

    private func pause(milliseconds: Double) async throws {
        try await Task.sleep(nanoseconds: UInt64(max(0, min(milliseconds, Self.maxMilliseconds))) * 1_000_000)
    }

    // MARK: Effects

    /// Takes every connection of every loop's pool until it is switched off.
    private func holdConnections() {
        guard let database else { return }
        // The request that switches the fault on has a deadline, and its trace an end.
        TelemetryContext.$current.withValue(.unsampled) {
            for loop in group.loops {
                for _ in 0..<connections {
                    _ = loop.spawn { [self] in
                        while self[.busyPool] != nil, !Task.isCancelled { await holdConnection(database) }
                    }
                }
            }
        }
    }

    /// Takes one connection; who gets none in time waits a little and stands in line again.
    private func holdConnection(_ database: PostgreSQLClient) async {
        do {
            try await database.transaction { [self] transaction in
                while self[.busyPool] != nil, !Task.isCancelled {
                    try await transaction.query("SELECT 1", "SELECT 1")
                    try await Task.sleep(nanoseconds: Self.keepAliveMilliseconds * 1_000_000)
                }
            }
        } catch {
            try? await Task.sleep(nanoseconds: Self.pollMilliseconds * 1_000_000)
        }
    }

    private func flood(_ count: Int) {
        let family = telemetry.metrics.counter(FaultTelemetry.labels)
        for number in 0..<max(0, count) { family.series("detail \(number)").increment() }
    }
}

/// Memory that is held and touched, so that it is resident.
///
/// Safety (`@unchecked Sendable`): owned by the mutex that guards it.
private struct Ballast: @unchecked Sendable {
    private var memory: UnsafeMutableRawPointer?
    private var size = 0

    mutating func hold(mebibytes: Int) {
        if let memory { munmap(memory, size) }
        memory = nil
        size = max(0, mebibytes) << 20
        guard size > 0 else { return }
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { return }
        memset(mapped, 1, size)
        memory = mapped
    }
}
