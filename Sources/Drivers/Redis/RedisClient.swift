package import EventLoop
package import Telemetry

/// Redis through hiredis, asynchronous on the event loop: one pipelined connection a loop, reconnecting.
package final class RedisClient: Sendable {
    package struct Configuration: Sendable {
        /// `redis://[:password@]host:port[/database]`
        package var url: String
        package var connectTimeoutMilliseconds = 1_000
        package var commandTimeoutMilliseconds = 2_000
        /// Commands that may wait on one connection before new ones are refused.
        package var maxPending = 10_000
        package init(url: String) { self.url = url }
    }

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) { fatalError("skeleton") }
    package func start() async throws { fatalError("skeleton") }
    package func stop() async { fatalError("skeleton") }

    /// Sends one command; arguments are binary safe. An error reply throws `RedisError.server`.
    @discardableResult
    package func command(_ arguments: [String]) async throws -> RedisValue { fatalError("skeleton") }
    @discardableResult
    package func command(_ arguments: String...) async throws -> RedisValue { try await command(arguments) }

    package func get(_ key: String) async throws -> String? { fatalError("skeleton") }
    package func set(_ key: String, _ value: String, expirySeconds: Int? = nil) async throws { fatalError("skeleton") }
    @discardableResult
    package func delete(_ keys: String...) async throws -> Int { fatalError("skeleton") }
    package func hashGetAll(_ key: String) async throws -> [(field: String, value: String)] { fatalError("skeleton") }
    /// EVALSHA, falling back to EVAL.
    package func script(_ source: String, keys: [String], arguments: [String]) async throws -> RedisValue {
        fatalError("skeleton")
    }
}

package enum RedisValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case string([UInt8])
    case array([RedisValue])

    /// The UTF-8 text of a string or status reply, or an integer's digits; nil otherwise.
    package var text: String? { fatalError("skeleton") }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var array: [RedisValue]? { if case .array(let value) = self { value } else { nil } }
}

package enum RedisError: Error, Sendable {
    case connection(String)
    case server(String)
    case timedOut
    case tooManyWaiting
    case shutDown
}
