package import EventLoop
package import Telemetry

/// RabbitMQ through rabbitmq-c: one connection on a thread of its own, publisher confirms, consumers with manual
/// acknowledgement, heartbeats, reconnection with the topology declared again.
package final class AMQPClient: Sendable {
    package struct Configuration: Sendable {
        /// `amqp://user:password@host:port/vhost`; the password is never printed.
        package var url: String
        package var heartbeatSeconds = 10
        package var prefetch = 32
        package var connectTimeoutMilliseconds = 2_000
        package var confirmTimeoutMilliseconds = 5_000
        /// Messages that may wait for their confirm; `publish` refuses beyond.
        package var maxUnconfirmed = 4_096
        /// `client_properties.connection_name`, shown by the management page.
        package var connectionName = "vitrine"
        package init(url: String) { self.url = url }
    }

    package init(configuration: Configuration, group: EventLoopGroup, telemetry: Telemetry) { fatalError("skeleton") }

    /// Declared on every (re)connection, in order. Add all of it before `start`.
    package func declare(_ topology: AMQPTopology) { fatalError("skeleton") }

    /// Calls `handler` for each delivery, on an event loop. Register before `start`.
    package func consume(_ queue: String, handler: @escaping @Sendable (AMQPDelivery) async -> AMQPDisposition) {
        fatalError("skeleton")
    }

    /// Connects, declares, starts consuming.
    package func start() async throws { fatalError("skeleton") }
    /// Cancels consumers, waits for handlers under way up to the deadline, closes.
    package func stop(timeoutSeconds: Int) async { fatalError("skeleton") }

    /// Publishes persistently and returns when the broker has confirmed it. Trace context, baggage and request id
    /// of the current task are added unless the message brings its own.
    /// - Throws: `AMQPError`; then the message may or may not have arrived.
    package func publish(_ message: AMQPMessage, exchange: String, routingKey: String) async throws {
        fatalError("skeleton")
    }

    /// Whether the connection is up: for readiness.
    package var isConnected: Bool { fatalError("skeleton") }
}

package struct AMQPTopology: Sendable {
    package struct Exchange: Sendable {
        package var name: String
        package var type: String  // direct, topic, fanout
        package init(_ name: String, type: String) {
            self.name = name
            self.type = type
        }
    }
    package struct Queue: Sendable {
        package var name: String
        /// `x-…` arguments: strings and integers.
        package var arguments: [String: AMQPValue]
        package init(_ name: String, arguments: [String: AMQPValue] = [:]) {
            self.name = name
            self.arguments = arguments
        }
    }
    package struct Binding: Sendable {
        package var queue: String
        package var exchange: String
        package var routingKey: String
        package init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }
    package var exchanges: [Exchange]
    package var queues: [Queue]
    package var bindings: [Binding]
    package init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

package enum AMQPValue: Sendable, Hashable {
    case string(String)
    case integer(Int64)
    case bool(Bool)
}

package struct AMQPMessage: Sendable {
    package var messageID: String
    package var correlationID: String?
    package var type: String?
    package var contentType = "application/json"
    package var headers: [String: AMQPValue]
    package var body: [UInt8]
    /// Seconds since 1970.
    package var timestamp: UInt64?
    package init(messageID: String, headers: [String: AMQPValue] = [:], body: [UInt8]) {
        self.messageID = messageID
        self.headers = headers
        self.body = body
    }
}

package struct AMQPDelivery: Sendable {
    package let message: AMQPMessage
    package let queue: String
    package let exchange: String
    package let routingKey: String
    package let isRedelivered: Bool
}

/// What becomes of a delivery.
package enum AMQPDisposition: Sendable {
    case acknowledge
    /// Back to the head of the queue.
    case requeue
    /// To the queue's dead-letter exchange.
    case reject
}

package enum AMQPError: Error, Sendable {
    case connection(String)
    case notConfirmed
    case returned(String)
    case timedOut
    case tooManyWaiting
    case shutDown
}
