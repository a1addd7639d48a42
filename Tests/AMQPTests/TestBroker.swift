import AMQP
import EventLoop
import LocalStack
import Synchronization
import Telemetry
import TelemetryTesting

/// A fresh virtual host of a real RabbitMQ, reached through a proxy that a test may cut.
struct TestBroker {
    let proxy: CuttingProxy
    let group = EventLoopGroup(count: 2)
    let capture = TelemetryCapture()
    private let url: String

    /// Runs a test and puts everything away after it.
    static func with(_ body: (TestBroker) async throws -> Void) async throws {
        let broker = try await TestBroker()
        do {
            try await body(broker)
            broker.end()
        } catch {
            broker.end()
            throw error
        }
    }

    private init() async throws {
        let direct = try await TestServers.rabbitmq()
        let address = direct.split(separator: "@")[1].split(separator: "/")
        let port = Int(address[0].split(separator: ":")[1]) ?? 0
        proxy = CuttingProxy(target: port)
        url = "amqp://guest:guest@127.0.0.1:\(proxy.port)/\(address[1])"
    }

    private func end() {
        proxy.stop()
        group.shutdown()
    }

    func client(configure: (inout AMQPClient.Configuration) -> Void = { _ in }) -> AMQPClient {
        var configuration = AMQPClient.Configuration(url: url)
        configure(&configuration)
        return AMQPClient(configuration: configuration, group: group, telemetry: capture.telemetry)
    }
}

/// An exchange `events`, a queue `work` for `order.*`, and its dead letters.
let topology = AMQPTopology(
    exchanges: [.init("events", type: "topic"), .init("events.dlx", type: "topic")],
    queues: [
        .init("work", arguments: ["x-dead-letter-exchange": .string("events.dlx")]), .init("work.dead"),
    ],
    bindings: [
        .init(queue: "work", exchange: "events", routingKey: "order.*"),
        .init(queue: "work.dead", exchange: "events.dlx", routingKey: "#"),
    ])

/// What a consumer saw, from any thread.
final class Seen: Sendable {
    private let deliveries = Mutex<[AMQPDelivery]>([])
    func add(_ delivery: AMQPDelivery) { deliveries.withLock { $0.append(delivery) } }
    var all: [AMQPDelivery] { deliveries.withLock { $0 } }
    func wait(for count: Int) async throws { try await eventually { all.count >= count } }
}

/// Opened once; whoever waits goes on.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)
    func open() { isOpen.store(true, ordering: .releasing) }
    func wait() async { try? await eventually { isOpen.load(ordering: .acquiring) } }
}

struct TooLate: Error {}

/// Waits until the condition holds.
func eventually(_ condition: () async throws -> Bool) async throws {
    guard try await TelemetryTesting.eventually(condition) else { throw TooLate() }
}
