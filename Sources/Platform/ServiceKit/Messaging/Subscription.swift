internal import AMQP

/// One kind of event that a service consumes, known without running the service: whichever service starts first
/// declares the queues of all, so that no event is published before its queue is there.
package struct Subscription: Sendable, Hashable {
    /// The end of the queue's name, and the name of its dead letters.
    let event: String
    let routingKey: String

    /// Deliveries of one type; handled with `Application.on`.
    package static func to<E: Event>(_ type: E.Type) -> Subscription {
        Subscription(event: E.type, routingKey: E.type)
    }

    /// Every event of the exchange; handled with `Application.onEveryEvent`.
    package static func toEveryEvent(queue: String) -> Subscription { Subscription(event: queue, routingKey: "#") }

    func topology(of service: String) -> AMQPTopology {
        EventTopology.consumer(
            queue: EventTopology.queue(service: service, event: event), event: event, routingKey: routingKey)
    }
}

/// What a service's definition says that it consumes is not what it registered.
package struct SubscriptionMismatch: Error, CustomStringConvertible {
    let registered: Set<Subscription>
    let declared: Set<Subscription>

    package var description: String {
        let undeclared = registered.subtracting(declared).map(\.event).sorted()
        let unused = declared.subtracting(registered).map(\.event).sorted()
        return [
            undeclared.isEmpty ? nil : "add \(undeclared.joined(separator: ", ")) to 'consumes' of its definition",
            unused.isEmpty
                ? nil : "'consumes' of its definition names \(unused.joined(separator: ", ")), which nothing handles",
        ].compactMap(\.self).joined(separator: "; ")
    }
}
