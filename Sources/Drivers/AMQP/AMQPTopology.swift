/// Exchanges, queues and bindings that a service relies on; all durable.
package struct AMQPTopology: Sendable {
    /// What messages are published to.
    package struct Exchange: Sendable {
        package var name: String
        /// `direct`, `topic` or `fanout`.
        package var type: String
        package init(_ name: String, type: String) {
            self.name = name
            self.type = type
        }
    }
    /// Where messages wait.
    package struct Queue: Sendable {
        package var name: String
        /// `x-…` arguments.
        package var arguments: [String: AMQPValue]
        package init(_ name: String, arguments: [String: AMQPValue] = [:]) {
            self.name = name
            self.arguments = arguments
        }
    }
    /// What of an exchange goes into a queue.
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
