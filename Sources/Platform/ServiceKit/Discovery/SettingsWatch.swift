package import Configuration
internal import Consul
internal import EventLoop
internal import Synchronization
internal import Telemetry

/// Settings that change while a service runs: the keys below a prefix of Consul's store, read like all other settings.
///
/// They stand between the defaults and `.env`: what a process was told itself wins. A state of the store that does not
/// hold up is refused as a whole and told of once; the one before stays.
final class SettingsWatch<Value: Sendable>: Component {
    let name: String
    private let prefix: String
    private let client: ConsulClient
    private let configuration: ConfigurationReader
    private let logger: Logger
    private let read: @Sendable (ConfigurationReader) -> Value
    private let apply: @Sendable (Value) -> Void
    private let watch = Mutex<ConsulWatch?>(nil)

    init(
        prefix: String, client: ConsulClient, configuration: ConfigurationReader, logger: Logger,
        read: @escaping @Sendable (ConfigurationReader) -> Value, apply: @escaping @Sendable (Value) -> Void
    ) {
        name = "settings below \(prefix)"
        self.prefix = prefix
        self.client = client
        self.configuration = configuration
        self.logger = logger
        self.read = read
        self.apply = apply
    }

    func start() async throws {
        let watch = client.watch(prefix: prefix) { [self] event in
            if case .value(let entries) = event { take(entries) }
        }
        self.watch.withLock { $0 = watch }
    }

    func stop() async {
        let running = watch.withLock { watch in
            defer { watch = nil }
            return watch
        }
        await running?.stop()
        await client.shutdown()
    }

    private func take(_ entries: [KeyValueEntry]) {
        let values = Dictionary(entries.map { (String($0.key.dropFirst(prefix.count)), $0.text) }) { $1 }
        let reader = configuration.over(values)
        let value = read(reader)
        do {
            try reader.validate()
            apply(value)
        } catch {
            logger.log(
                DiscoveryTelemetry.settingsRefused, "settings below \(prefix) are refused: \(error)",
                [Attribute(DiscoveryTelemetry.errorMessage, .string("\(error)"))])
        }
    }
}

extension Application {
    /// Follows settings in Consul's store while the service runs. Without Consul nothing is ever applied: the caller starts
    /// with what `configuration` says. During `build` only.
    /// - Parameters: prefix: of the keys; the rest of a key is the setting's name (`vitrine/orders/` and `ORDERS_TTL`).
    ///   - read: makes a value of the settings, with their types and ranges.
    ///   - apply: takes it: once soon after the start, then at each change that is valid; on an event loop, so it must not
    ///     block.
    package func followSettings<Value: Sendable>(
        _ prefix: String, read: @escaping @Sendable (ConfigurationReader) -> Value,
        apply: @escaping @Sendable (Value) -> Void
    ) {
        guard let consul = platform.consul else { return }
        component(
            SettingsWatch(
                prefix: prefix,
                client: ConsulClient(
                    configuration: consul.client, group: group, telemetry: telemetry, metrics: platform.processMetrics),
                configuration: configuration, logger: telemetry.logger.named("discovery"), read: read, apply: apply))
    }
}
