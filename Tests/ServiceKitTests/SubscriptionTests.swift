import LocalStack
import PostgreSQL
import ServiceKit
import Synchronization
import TelemetryTesting
import Testing

/// What services say that they consume, and what comes of it.
@Suite struct SubscriptionTests {
    private struct OrderCreated: Event {
        static let type = "order.created"
        var orderID: String
        var subject: String { orderID }
    }

    private final class Seen: Sendable {
        private let ids = Mutex<[String]>([])
        func note(_ id: String) { ids.withLock { $0.append(id) } }
        var all: [String] { ids.withLock { $0 } }
    }

    private func host(_ service: ServiceDefinition, of platform: [ServiceDefinition], _ values: [String: String])
        -> ServiceHost
    {
        ServiceHost(services: [service], of: platform, values: values, group: TestService.group) {
            TelemetryCapture(serviceName: $0).telemetry
        }
    }

    private func values() async throws -> [String: String] {
        var values = TestService.secrets
        values["RABBITMQ_URL"] = try await TestServers.rabbitmq()
        values["DRAIN_TIMEOUT_SECONDS"] = "1"
        for name in ["TILL", "STORE"] {
            values[name + "_PORT"] = "0"
            values[name + "_DATABASE_URL"] = try await TestServers.postgresDatabase()
        }
        return values
    }

    @Test func anEventPublishedBeforeItsConsumerEverRanIsNotLost() async throws {
        let seen = Seen()
        let till = ServiceDefinition(
            name: "till", summary: "publishes", port: 0, database: "till", usesBroker: true
        ) { _ in }
        let store = ServiceDefinition(
            name: "store", summary: "consumes", port: 0, database: "store", usesBroker: true,
            consumes: [.to(OrderCreated.self)]
        ) { app in app.on(OrderCreated.self) { event, _ in seen.note(event.orderID) } }
        let values = try await values()

        let first = host(till, of: [till, store], values)
        try await first.start()
        let app = try #require(first.application("till"))
        try await app.database.transaction { transaction in
            try await app.outbox.append(OrderCreated(orderID: "early"), in: transaction)
        }
        #expect(
            try await eventually {
                try await app.database.query("SELECT outbox", "SELECT 1 FROM outbox WHERE published_at IS NULL").count
                    == 0
            })
        await first.stop()

        let second = host(store, of: [till, store], values)
        try await second.start()
        #expect(await eventually { seen.all == ["early"] })
        await second.stop()
    }

    @Test(arguments: [true, false])
    func aDefinitionThatSaysOtherThanItDoesDoesNotStart(_ saysTooMuch: Bool) async throws {
        let store = ServiceDefinition(
            name: "store", summary: "consumes", port: 0, database: "store", usesBroker: true,
            consumes: saysTooMuch ? [.to(OrderCreated.self)] : []
        ) { app in if !saysTooMuch { app.on(OrderCreated.self) { _, _ in } } }
        let host = host(store, of: [store], try await values())
        await #expect {
            try await host.start()
        } throws: { error in
            "\(error)".contains("order.created") && "\(error)".contains("consumes")
        }
    }
}
