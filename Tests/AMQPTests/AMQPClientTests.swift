import AMQP
import EventLoop
import LocalStack
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// A client on a fresh virtual host, not started yet.
private struct Broker {
    let url: String
    let group = EventLoopGroup(count: 2)
    let capture = TelemetryCapture()

    init() async throws { url = try await TestServers.rabbitmq() }

    func client(configure: (inout AMQPClient.Configuration) -> Void = { _ in }) -> AMQPClient {
        var configuration = AMQPClient.Configuration(url: url)
        configure(&configuration)
        return AMQPClient(configuration: configuration, group: group, telemetry: capture.telemetry)
    }
}

private let topology = AMQPTopology(
    exchanges: [.init("events", type: "topic"), .init("events.dlx", type: "topic")],
    queues: [
        .init("work", arguments: ["x-dead-letter-exchange": .string("events.dlx")]), .init("work.dead"),
    ],
    bindings: [
        .init(queue: "work", exchange: "events", routingKey: "order.*"),
        .init(queue: "work.dead", exchange: "events.dlx", routingKey: "#"),
    ])

/// What a consumer saw, from any thread.
private final class Seen: Sendable {
    private let deliveries = Mutex<[AMQPDelivery]>([])
    func add(_ delivery: AMQPDelivery) { deliveries.withLock { $0.append(delivery) } }
    var all: [AMQPDelivery] { deliveries.withLock { $0 } }

    func wait(for count: Int) async throws {
        for _ in 0..<1000 where all.count < count { try await Task.sleep(nanoseconds: 10_000_000) }
    }
}

@Suite struct AMQPClientTests {
    @Test func whatIsPublishedIsConsumedWithItsContext() async throws {
        let broker = try await Broker()
        let client = broker.client()
        let seen = Seen()
        client.declare(topology)
        client.consume("work") { delivery in
            seen.add(delivery)
            return .acknowledge
        }
        try await client.start()
        var message = AMQPMessage(messageID: "m1", headers: ["n": .integer(7), "b": .bool(true)], body: [1, 2, 3])
        message.correlationID = "c1"
        message.type = "order.created"
        let root = broker.capture.telemetry.tracer.startSpan("root")
        let context = TelemetryContext(span: root.context, requestID: "r1")
        try await TelemetryContext.$current.withValue(context) {
            try await client.publish(message, exchange: "events", routingKey: "order.created")
        }
        try await seen.wait(for: 1)
        let delivery = try #require(seen.all.first)
        #expect(delivery.message.body == [1, 2, 3])
        #expect(delivery.message.messageID == "m1")
        #expect(delivery.message.correlationID == "c1")
        #expect(delivery.message.headers["n"] == .integer(7))
        #expect(delivery.message.headers["b"] == .bool(true))
        #expect(delivery.routingKey == "order.created")
        await client.stop(timeoutSeconds: 5)
        let publish = try #require(broker.capture.spans.first { $0.name == "publish events" })
        let process = try #require(broker.capture.spans.first { $0.name == "process work" })
        #expect(publish.kind == .producer)
        #expect(process.kind == .consumer)
        #expect(process.context.traceID == root.context.traceID)
        #expect(process.parent == publish.context.spanID)
        #expect(process.links.map(\.spanID) == [publish.context.spanID])
        broker.group.shutdown()
    }

    @Test func whatIsRejectedGoesToTheDeadLetters() async throws {
        let broker = try await Broker()
        let client = broker.client()
        let dead = Seen()
        client.declare(topology)
        client.consume("work") { _ in .reject }
        client.consume("work.dead") { delivery in
            dead.add(delivery)
            return .acknowledge
        }
        try await client.start()
        try await client.publish(AMQPMessage(messageID: "m", body: []), exchange: "events", routingKey: "order.x")
        try await dead.wait(for: 1)
        #expect(dead.all.map(\.message.messageID) == ["m"])
        await client.stop(timeoutSeconds: 5)
        broker.group.shutdown()
    }

    @Test func whatNobodyTakesComesBackAsAnError() async throws {
        let broker = try await Broker()
        let client = broker.client()
        client.declare(topology)
        try await client.start()
        await #expect {
            try await client.publish(AMQPMessage(messageID: "m", body: []), exchange: "events", routingKey: "other")
        } throws: { error in
            if case AMQPError.returned = error { true } else { false }
        }
        await client.stop(timeoutSeconds: 5)
        broker.group.shutdown()
    }

    @Test func fiveThousandMessagesAreConfirmedAndConsumed() async throws {
        let broker = try await Broker()
        let client = broker.client { $0.maxUnconfirmed = 10_000 }
        let count = Atomic<Int>(0)
        client.declare(topology)
        client.consume("work") { _ in
            count.wrappingAdd(1, ordering: .relaxed)
            return .acknowledge
        }
        try await client.start()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<5000 {
                tasks.addTask {
                    try await client.publish(
                        AMQPMessage(messageID: "\(number)", body: [0]), exchange: "events", routingKey: "order.x")
                }
            }
            try await tasks.waitForAll()
        }
        for _ in 0..<1000 where count.load(ordering: .relaxed) < 5000 { try await Task.sleep(nanoseconds: 10_000_000) }
        let consumed = count.load(ordering: .relaxed)
        #expect(consumed == 5000)
        #expect(try await client.messageCount(of: "work") == 0)
        #expect(
            broker.capture.value(#"messaging_client_sent_messages_total{destination="events",outcome="success"}"#)
                == 5000)
        await client.stop(timeoutSeconds: 5)
        broker.group.shutdown()
    }

    @Test func comesBackAfterTheBrokerClosedTheConnection() async throws {
        let broker = try await Broker()
        let client = broker.client()
        let seen = Seen()
        client.declare(topology)
        client.consume("work") { delivery in
            seen.add(delivery)
            return .acknowledge
        }
        try await client.start()
        // Asking for a queue that does not exist makes the broker close the channel.
        await #expect(throws: AMQPError.self) { _ = try await client.messageCount(of: "none") }
        var isSent = false
        for _ in 0..<500 where !isSent {
            isSent =
                (try? await client.publish(
                    AMQPMessage(messageID: "again", body: []), exchange: "events", routingKey: "order.x")) != nil
            if !isSent { try await Task.sleep(nanoseconds: 10_000_000) }
        }
        try await seen.wait(for: 1)
        #expect(seen.all.first?.message.messageID == "again")
        #expect(broker.capture.value("amqp_reconnects_total") == 1)
        await client.stop(timeoutSeconds: 5)
        broker.group.shutdown()
    }

    @Test func stoppingWaitsForTheHandlerAndLosesNothing() async throws {
        let broker = try await Broker()
        let first = broker.client()
        let started = Seen()
        first.declare(topology)
        first.consume("work") { delivery in
            started.add(delivery)
            try? await Task.sleep(nanoseconds: 300_000_000)
            return .acknowledge
        }
        try await first.start()
        try await first.publish(AMQPMessage(messageID: "m", body: []), exchange: "events", routingKey: "order.x")
        try await started.wait(for: 1)
        await first.stop(timeoutSeconds: 5)
        let second = broker.client()
        try await second.start()
        #expect(try await second.messageCount(of: "work") == 0)
        await second.stop(timeoutSeconds: 5)
        broker.group.shutdown()
    }

    @Test func aBrokerThatIsNotThereIsNamedWithoutThePassword() async throws {
        let group = EventLoopGroup(count: 1)
        let client = AMQPClient(
            configuration: .init(url: "amqp://me:hunter2@127.0.0.1:1/"), group: group, telemetry: .disabled())
        do {
            try await client.start()
            Issue.record("it connected")
        } catch {
            #expect("\(error)".contains("127.0.0.1:1"))
            #expect(!"\(error)".contains("hunter2"))
        }
        await client.stop(timeoutSeconds: 5)
        group.shutdown()
    }
}
