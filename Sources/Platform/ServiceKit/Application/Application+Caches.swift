package import Caching

extension Application {
    /// Values of one kind, kept in Redis for a while. During `build` only; traps when the definition does not name it.
    package func cache<Value: Codable & Sendable>(
        _ name: String, of type: Value.Type, lifetimeSeconds: Int = 60, maxEntries: Int = 10_000
    ) -> Cache<Value> {
        precondition(
            definition.caches.contains(name),
            "'\(definition.name)' asks for the cache '\(name)': name it in 'caches' of its ServiceDefinition")
        var configuration = Cache<Value>.Configuration()
        configuration.lifetimeSeconds = lifetimeSeconds
        configuration.maxEntries = maxEntries
        return Cache(
            "\(definition.name).\(name)", redis: redis, telemetry: telemetry, configuration: configuration)
    }
}
