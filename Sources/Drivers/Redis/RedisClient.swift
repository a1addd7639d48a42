package import EventLoop
package import Telemetry

/// Redis through hiredis, asynchronous on the event loop: one pipelined connection a loop, reconnecting.
package final class RedisClient: Sendable {
    package struct Configuration: Sendable {
        /// `redis://[:password@]host:port[/database]`; the password is never printed.
        package var url: String
        package var connectTimeoutMilliseconds = 1_000
        package var commandTimeoutMilliseconds = 2_000
        /// Commands that may wait on one connection before new ones are refused.
        package var maxPending = 10_000
        package init(url: String) { self.url = url }
    }

    /// Whose loops have a connection each.
    package let group: EventLoopGroup
    private let connections: [RedisConnection]
    private let configuration: Configuration
    private let telemetry: RedisTelemetry
    /// Where it connects to, as spans name it.
    package var peer: DatabaseOperation.Peer { telemetry.peer }

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) {
        self.group = group
        self.configuration = configuration
        let observed = RedisTelemetry(telemetry, url: configuration.url, loops: group.loops.count)
        self.telemetry = observed
        connections = group.loops.map { loop in
            RedisConnection(loop: loop, configuration: configuration) { observed.connected.add($0 ? 1 : -1) }
        }
    }

    /// Opens a connection and asks it for a sign of life.
    /// - Throws: `RedisError.connection` that says what the network answered.
    package func start() async throws { _ = try await command("PING") }

    package func stop() async {
        for connection in connections { _ = try? await connection.loop.run { connection.stop() } }
    }

    /// Sends one command; arguments are binary safe.
    /// - Throws: `RedisError`.
    @discardableResult
    package func command(_ arguments: [String]) async throws -> RedisValue {
        precondition(!arguments.isEmpty, "a Redis command has a name")
        let loop = group.next()
        let connection = connections[loop.index]
        if loop.isCurrent { return try await observed(arguments, connection) }
        return try await loop.run { try await self.observed(arguments, connection) }
    }

    private func observed(_ arguments: [String], _ connection: RedisConnection) async throws -> RedisValue {
        try await telemetry.observe(arguments[0], loop: connection.loop) { try await connection.send(arguments) }
    }

    @discardableResult
    package func command(_ arguments: String...) async throws -> RedisValue { try await command(arguments) }

    package func get(_ key: String) async throws -> String? { try await command("GET", key).text }

    /// - Parameter expirySeconds: 1 or more; nil keeps the value for good.
    package func set(_ key: String, _ value: String, expirySeconds: Int? = nil) async throws {
        if let expirySeconds {
            try await command("SET", key, value, "EX", "\(expirySeconds)")
        } else {
            try await command("SET", key, value)
        }
    }

    /// - Returns: how many of the keys there were.
    @discardableResult
    package func delete(_ keys: String...) async throws -> Int {
        Int(try await command(["DEL"] + keys).integer ?? 0)
    }

    package func hashGetAll(_ key: String) async throws -> [(field: String, value: String)] {
        let items = try await command("HGETALL", key).array ?? []
        return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
            guard let field = items[index].text, let value = items[index + 1].text else { return nil }
            return (field, value)
        }
    }

    /// Keys that match a pattern, by SCAN, at most `limit` of them.
    package func keys(matching pattern: String, limit: Int) async throws -> [String] {
        var cursor = "0"
        var found: Set<String> = []
        repeat {
            let answer = try await command("SCAN", cursor, "MATCH", pattern, "COUNT", "200").array ?? []
            cursor = answer.first?.text ?? "0"
            for item in answer.last?.array ?? [] { if let key = item.text { found.insert(key) } }
        } while cursor != "0" && found.count < limit
        return Array(found.sorted().prefix(limit))
    }

    /// EVALSHA; EVAL when Redis has forgotten the script.
    package func run(_ script: RedisScript, keys: [String], arguments: [String]) async throws -> RedisValue {
        let rest = ["\(keys.count)"] + keys + arguments
        do {
            return try await command(["EVALSHA", try await digest(of: script)] + rest)
        } catch RedisError.server(let text) where text.hasPrefix("NOSCRIPT") {
            return try await command(["EVAL", script.source] + rest)
        }
    }

    private func digest(of script: RedisScript) async throws -> String {
        if let known = script.digest { return known }
        guard let loaded = try await command("SCRIPT", "LOAD", script.source).text else {
            throw RedisError.server("SCRIPT LOAD gave no digest")
        }
        script.digest = loaded
        return loaded
    }

    /// A connection of its own for commands that wait (`XREADGROUP … BLOCK`, `BLMPOP`): on the shared one everybody
    /// would wait behind them. Opened by its first command; whoever makes one closes it.
    /// - Parameter longestWaitMilliseconds: that a command may ask Redis to wait.
    package func makeBlockingConnection(on loop: EventLoop, longestWaitMilliseconds: Int) -> RedisBlockingConnection {
        var own = configuration
        own.commandTimeoutMilliseconds += longestWaitMilliseconds
        return RedisBlockingConnection(loop: loop, configuration: own, telemetry: telemetry)
    }
}
