internal import Configuration
internal import Consul
internal import EventLoop
internal import Synchronization
internal import Telemetry

/// Where the services of the platform are: what Consul says, if it is configured; else, and until it has said something,
/// `<NAME>_URL` when it is set, the port that a service of this process has bound, or its default port on this machine.
///
/// Consul that is gone changes nothing: what it said last stays. Nor does its word that a service has no healthy instance
/// at all: rather those known last than nobody, since a check may fail for all of them at once.
final class ServiceDirectory: Sendable {
    /// The platform's table of ports.
    static let defaultPorts: [String: Int] = [
        "gateway": 8080, "users": 8081, "config": 8082, "accounting": 8083, "factory": 8084, "shop": 8085,
        "main": 8086, "catalog": 8000, "cart": 8001, "orders": 8002, "processor": 8003, "payments": 8004,
        "notifications": 8005, "warehouse": 8006, "purchase": 8007, "web": 8008, "bot": 8009, "docs": 8010,
    ]

    private struct State: Sendable {
        var destinations: [String: Destination] = [:]
        /// Addresses from settings and of this process; they count until others are learned.
        var fixed: [String: String] = [:]
        var learned: [String: [String]] = [:]
        var watching: Watching?
        var watches: [ConsulWatch] = []
    }

    private struct Watching: Sendable {
        let client: ConsulClient
        let telemetry: DiscoveryTelemetry
    }

    /// What a loop has asked for before. Destinations never go away.
    ///
    /// Safety (`@unchecked Sendable`): touched on the loop's thread only.
    private final class Known: @unchecked Sendable {
        var destinations: [String: Destination] = [:]
    }

    private let configuration: ConfigurationReader
    private let group: EventLoopGroup
    private let consul: ConsulSettings?
    private let known: [Known]
    private let state = Mutex(State())

    init(configuration: ConfigurationReader, group: EventLoopGroup, consul: ConsulSettings?) {
        self.configuration = configuration
        self.group = group
        self.consul = consul
        known = group.loops.map { _ in Known() }
    }

    // MARK: Finding

    /// A service by its name; asked for again, the same.
    func destination(_ service: String) -> Destination {
        guard let loop = EventLoop.current, group.owns(loop) else { return find(service) }
        let known = known[loop.index]
        if let destination = known.destinations[service] { return destination }
        let destination = find(service)
        known.destinations[service] = destination
        return destination
    }

    private func find(_ service: String) -> Destination {
        let (destination, watching) = state.withLock { state -> (Destination, Watching?) in
            if let destination = state.destinations[service] { return (destination, nil) }
            let fixed = configured(service) ?? Self.defaultPorts[service].map { "http://127.0.0.1:\($0)" }
            if state.fixed[service] == nil { state.fixed[service] = fixed }
            let destination = Destination(
                service, urls: [state.fixed[service]].compactMap { $0 }, group: group, isSettled: consul == nil)
            state.destinations[service] = destination
            return (destination, state.watching)
        }
        if let watching { watch(destination, watching) }
        return destination
    }

    /// A service of this process listens here: taken unless the configuration sends callers elsewhere.
    func bound(_ service: String, url: String) {
        let url = configured(service) ?? url
        state.withLock { $0.fixed[service] = url }
        refresh(service)
    }

    private func configured(_ service: String) -> String? {
        configuration.optionalString(service.uppercased() + "_URL")
    }

    // MARK: Learning

    /// Begins to watch every service that was asked for, and waits a moment for the first answers. Without Consul this
    /// does nothing.
    /// - Parameters: telemetry: whose log tells of changes. - metrics: those of the process.
    func start(telemetry: Telemetry, metrics: MetricRegistry) async throws {
        guard let consul else { return }
        let watching = Watching(
            client: ConsulClient(
                configuration: consul.client, group: group, telemetry: telemetry, metrics: metrics),
            telemetry: DiscoveryTelemetry(telemetry.logger, metrics))
        let destinations = state.withLock { state in
            state.watching = watching
            return Array(state.destinations.values)
        }
        for destination in destinations { watch(destination, watching) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for destination in destinations { tasks.addTask { try await destination.settle() } }
            try await tasks.waitForAll()
        }
    }

    /// Ends all watches.
    func stop() async {
        let (watches, watching) = state.withLock { state in
            defer { (state.watches, state.watching) = ([], nil) }
            return (state.watches, state.watching)
        }
        for watch in watches { await watch.stop() }
        await watching?.client.shutdown()
    }

    private func watch(_ destination: Destination, _ watching: Watching) {
        destination.count(watching.telemetry.setAsideCounter(destination.name))
        refresh(destination.name)
        let watch = watching.client.watch(service: destination.name) { [self] event in
            if case .value(let instances) = event { learned(destination.name, instances) }
            destination.noteSettled()
        }
        let isOver = state.withLock { state in
            guard state.watching != nil else { return true }
            state.watches.append(watch)
            return false
        }
        if isOver { Task { await watch.stop() } }
    }

    private func learned(_ service: String, _ instances: [ServiceInstance]) {
        let telemetry = state.withLock { state in
            if !instances.isEmpty { state.learned[service] = instances.map(\.url) }
            return state.watching?.telemetry
        }
        telemetry?.noteChange(service, count: instances.count)
        refresh(service)
    }

    /// Shows callers what is known now, in the order in which it became known.
    private func refresh(_ service: String) {
        state.withLock { state in
            let learned = state.learned[service]
            let urls = learned ?? [state.fixed[service]].compactMap { $0 }
            state.destinations[service]?.show(urls)
            state.watching?.telemetry.show(service, learned == nil ? .fixed : .consul, count: urls.count)
        }
    }
}
