import AMQP
import EventLoop
import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct MessagingTests {
    private struct OrderCreated: Event {
        static let type = "order.created"
        var orderID: String
        var total: Int
        var subject: String { orderID }
        enum CodingKeys: String, CodingKey {
            case orderID = "order_id"
            case total
        }
    }

    private struct OrderSeen: Event {
        static let type = "order.seen"
        var orderID: String
        var subject: String { orderID }
    }

    private static let migrations = [
        Migration(
            1, "create_effects",
            Array("-- up\nCREATE TABLE effects (order_id text, attempt int);\n-- down\nDROP TABLE effects;\n".utf8))
    ]

    private func values() async throws -> [String: String] {
        [
            "TILL_DATABASE_URL": try await TestServers.postgresDatabase(),
            "RABBITMQ_URL": try await TestServers.rabbitmq(),
        ]
    }

    private func run<T>(
        _ values: [String: String], logLevel: LogLevel = .debug, logDetails: LogDetailsPolicy = .off,
        build: @escaping @Sendable (Application) async throws -> Void,
        _ body: (TestService, Application) async throws -> T
    ) async throws -> T {
        try await TestService.run(
            name: "till", database: "till", usesBroker: true, migrations: Self.migrations, values: values,
            logLevel: logLevel, logDetails: logDetails, build: build
        ) { (service: TestService) async throws in
            try await body(service, try #require(service.host.application("till")))
        }
    }

    /// Writes down an effect, as handlers do.
    private static func record(_ event: OrderCreated, _ context: MessageContext) async throws {
        try await context.transaction.query(
            "INSERT effects",
            "INSERT INTO effects (order_id, attempt) VALUES (\(event.orderID), \(context.attempt))")
    }

    private func effects(_ application: Application) async throws -> [Int] {
        try await application.database.query("SELECT effects", "SELECT attempt FROM effects ORDER BY attempt").rows
            .map { try $0.get("attempt") }
    }

    private func publish(_ event: OrderCreated, from application: Application) async throws {
        try await application.database.transaction { transaction in
            try await application.outbox.append(event, in: transaction)
        }
    }

    private func deadLetters(_ values: [String: String], _ queue: String) async throws -> Int {
        let client = AMQPClient(
            configuration: .init(url: values["RABBITMQ_URL"] ?? ""), group: TestService.group, telemetry: .disabled())
        try await client.start()
        let count = try await client.messageCount(of: queue)
        await client.stop(timeoutSeconds: 2)
        return count
    }

    // MARK: Exactly once

    @Test func anEventOfACommittedTransactionArrivesAndOneOfARolledBackDoesNot() async throws {
        struct Undo: Error {}
        try await run(
            try await values(), build: { app in app.on(OrderCreated.self) { try await Self.record($0, $1) } }
        ) { (service, app) async throws in
            await #expect(throws: Undo.self) {
                try await app.database.transaction { transaction in
                    try await app.outbox.append(OrderCreated(orderID: "undone", total: 1), in: transaction)
                    throw Undo()
                }
            }
            try await publish(OrderCreated(orderID: "done", total: 1), from: app)
            #expect(try await eventually { try await effects(app) == [1] })
            let row = try #require(try await app.database.query("SELECT effects", "SELECT order_id FROM effects").first)
            #expect(try row.get("order_id", as: String.self) == "done")
            // The consumer may be quicker than the confirmation that the relay waits for.
            let published = #"outbox_published_total{type="order.created"}"#
            #expect(await eventually { service.capture.value(published) == 1 })
        }
    }

    @Test func duplicatesHaveOneEffect() async throws {
        let values = try await values()
        try await run(
            values, build: { app in app.on(OrderCreated.self) { try await Self.record($0, $1) } }
        ) { (service, app) async throws in
            let client = AMQPClient(
                configuration: .init(url: values["RABBITMQ_URL"] ?? ""), group: TestService.group,
                telemetry: .disabled())
            try await client.start()
            var message = AMQPMessage(messageID: "m-1", body: Array(#"{"order_id":"o-1","total":5}"#.utf8))
            message.type = OrderCreated.type
            let sent = message
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask { try await client.publish(sent, exchange: "orders", routingKey: OrderCreated.type) }
                }
                try await tasks.waitForAll()
            }
            await client.stop(timeoutSeconds: 2)
            let duplicates = #"inbox_duplicates_total{event="order.created"}"#
            #expect(await eventually { service.capture.value(duplicates) == 19 })
            #expect(try await effects(app) == [1])
        }
    }

    @Test func aHandlersAnswerIsPublishedWithItsEffectsOnly() async throws {
        struct Odd: Error {}
        let box = Box()
        try await run(
            try await values(),
            build: { app in
                app.on(OrderCreated.self) { event, context in
                    try await Self.record(event, context)
                    try await context.publish(OrderSeen(orderID: event.orderID))
                    // The first answer is taken back with everything else.
                    if context.attempt == 1 { throw Odd() }
                }
                app.onEveryEvent(queue: "audit") { event, _ in
                    box.seen.withLock { $0.append("\(event.type) \(event.subject)") }
                }
            }
        ) { (service, app) async throws in
            try await publish(OrderCreated(orderID: "o-1", total: 1), from: app)
            #expect(await eventually { box.seen.withLock { $0.count } == 2 })
            #expect(box.seen.withLock { $0.sorted() } == ["order.created o-1", "order.seen o-1"])
            #expect(try await effects(app) == [2])
            #expect(service.capture.value(#"message_retries_total{event="order.created"}"#) == 1)
        }
    }

    @Test func manyTransactionsAtOnceAreAllPublished() async throws {
        let box = Box()
        try await run(
            try await values(),
            build: { app in
                app.on(OrderCreated.self) { event, _ in box.seen.withLock { $0.append(event.orderID) } }
            }
        ) { (service, app) async throws in
            // Most of them wake nobody: one notification stands for all of a moment.
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<300 {
                    tasks.addTask { try await publish(OrderCreated(orderID: "o-\(number)", total: 1), from: app) }
                }
                try await tasks.waitForAll()
            }
            try await Task.sleep(nanoseconds: 60_000_000)
            try await publish(OrderCreated(orderID: "last", total: 1), from: app)
            #expect(await eventually { Set(box.seen.withLock { $0 }).count == 301 })
            #expect(service.capture.value(#"outbox_published_total{type="order.created"}"#) == 301)
            // The relay marks its rows once the broker has confirmed them, which a consumer may well precede.
            #expect(
                try await eventually {
                    try await app.database.query("SELECT outbox", "SELECT 1 FROM outbox WHERE published_at IS NULL")
                        .count == 0
                })
        }
    }

    // MARK: Failures

    @Test func aHandlerThatFailsTwiceSucceedsAtTheThirdAttempt() async throws {
        struct Odd: Error {}
        let detail = LogEvent("test.message_detail", level: .debug, help: "What a handler says below the level.")
        try await run(
            try await values(), logLevel: .info,
            logDetails: LogDetailsPolicy(maxBytes: 4_096, slowMilliseconds: 3_600_000),
            build: { app in
                app.on(OrderCreated.self) { event, context in
                    app.telemetry.logger.log(detail, "attempt \(context.attempt)")
                    if context.attempt < 3 { throw Odd() }
                    try await Self.record(event, context)
                }
            }
        ) { (service, app) async throws in
            try await publish(OrderCreated(orderID: "o-1", total: 1), from: app)
            #expect(try await eventually(seconds: 60) { try await effects(app) == [3] })
            #expect(service.capture.value(#"message_retries_total{event="order.created"}"#) == 2)
            #expect(service.capture.value(#"message_dead_letters_total{event="order.created"}"#) == 0)
            // All attempts belong to the trace of the order.
            let spans = service.capture.spans(named: "process till-service.order.created")
            #expect(spans.count == 3)
            #expect(Set(spans.map(\.context.traceID)).count == 1)
            // What the failed ones said below the log's level is written, each with its own trace.
            #expect(await eventually { service.capture.logLines(event: detail).count == 2 })
            let lines = service.capture.logLines(event: detail)
            for (index, line) in lines.enumerated() {
                #expect(line.contains("\"message\":\"attempt \(index + 1)\""))
                #expect(line.contains("\"tags\":[\"retroactive\"]") && line.contains("\"trace.id\""))
            }
        }
    }

    @Test func poisonAndGarbageBecomeDeadLettersAtOnce() async throws {
        let values = try await values()
        try await run(
            values,
            build: { app in app.on(OrderCreated.self) { _, _ in throw PoisonMessage("no such shop") } }
        ) { (service, app) async throws in
            try await publish(OrderCreated(orderID: "o-1", total: 1), from: app)
            let client = AMQPClient(
                configuration: .init(url: values["RABBITMQ_URL"] ?? ""), group: TestService.group,
                telemetry: .disabled())
            try await client.start()
            try await client.publish(
                AMQPMessage(messageID: "m-2", body: Array("{\"order_id\":7".utf8)), exchange: "orders",
                routingKey: OrderCreated.type)
            await client.stop(timeoutSeconds: 2)
            let dead = #"message_dead_letters_total{event="order.created"}"#
            #expect(await eventually { service.capture.value(dead) == 2 })
            #expect(try await eventually { try await deadLetters(values, "order.created.failed") == 2 })
            #expect(
                service.capture.logLines(event: MessagingTelemetry.deadLettered).contains {
                    $0.contains("no such shop")
                })
            #expect(try await app.database.query("SELECT inbox", "SELECT 1 FROM inbox").count == 0)
        }
    }

    @Test func theDatabasesTroubleIsNotTheMessages() async throws {
        let counter = Calls()
        try await run(
            try await values(),
            build: { app in
                app.on(OrderCreated.self) { event, context in
                    if counter.next() <= 2 {
                        // As a restart of the server in the middle of the transaction.
                        try await context.transaction.query(
                            "SELECT pg_terminate_backend", "SELECT pg_terminate_backend(pg_backend_pid())")
                    }
                    try await Self.record(event, context)
                }
            }
        ) { (service, app) async throws in
            try await publish(OrderCreated(orderID: "o-1", total: 1), from: app)
            #expect(try await eventually(seconds: 60) { try await effects(app) == [1] })
            #expect(service.capture.value(#"message_retries_total{event="order.created"}"#) == 0)
        }
    }

    // MARK: Traces

    @Test func aTraceGoesThroughTheOutboxIntoTheConsumer() async throws {
        try await run(
            try await values(),
            build: { app in
                app.routes("/till") { group in
                    group.post("/orders", .open) { request in
                        try await app.database.transaction { transaction in
                            try await app.outbox.append(OrderCreated(orderID: "o-1", total: 1), in: transaction)
                        }
                        return .empty(.accepted)
                    }
                }
                app.on(OrderCreated.self) { try await Self.record($0, $1) }
            }
        ) { (service, app) async throws in
            let answer = try await service.send(.post, "/till/orders", headers: ["x-request-id": "shopper-1"])
            #expect(answer.status == 202)
            #expect(try await eventually { try await effects(app) == [1] })
            #expect(await eventually { !service.capture.spans(named: "process till-service.order.created").isEmpty })
            let server = try #require(service.capture.spans(named: "POST /till/orders").first)
            let producer = try #require(service.capture.spans(named: "publish orders").first)
            let consumer = try #require(service.capture.spans(named: "process till-service.order.created").first)
            #expect(producer.kind == .producer)
            #expect(consumer.kind == .consumer)
            #expect(producer.context.traceID == server.context.traceID)
            #expect(consumer.context.traceID == server.context.traceID)
            #expect(consumer.parent == producer.context.spanID)
            #expect(consumer.links.map(\.spanID) == [producer.context.spanID])
            // What the handler did is seen below the consumer.
            let effect = try #require(service.capture.spans(named: "INSERT effects").first)
            #expect(effect.parent == consumer.context.spanID)
            // Looking for events that are not there makes no traces.
            #expect(!service.capture.spans.contains { $0.parent == nil && $0.name.contains("outbox") })
        }
    }

    // MARK: Outages

    @Test func aBrokerOutageOnlyDelays() async throws {
        let folder = "/tmp/vitrine-messaging-\(UInt32.random(in: 0 ... .max))"
        let port = try Ports.free()
        let management = try Ports.free()
        let first = try RabbitServer(folder: folder, port: port, managementPort: management)
        var values = ["TILL_DATABASE_URL": try await TestServers.postgresDatabase()]
        values["RABBITMQ_URL"] = first.url
        try await run(
            values, build: { app in app.on(OrderCreated.self) { try await Self.record($0, $1) } }
        ) { (service, app) async throws in
            // Not asked to end: killed, with everything that it has started.
            first.process.stop(timeoutMilliseconds: 0)
            #expect(await eventually { service.capture.value("amqp_connected") == 0 })
            for number in 1...3 { try await publish(OrderCreated(orderID: "o-\(number)", total: 1), from: app) }
            #expect(try await effects(app).isEmpty)
            let ready = try await service.get("/health/ready")
            #expect(ready.status == 200)
            #expect(ready.text.contains(#""status":"degraded""#))
            #expect(await eventually { service.capture.value("outbox_pending_messages") == 3 })
            let second = try RabbitServer(folder: folder, port: port, managementPort: management)
            #expect(try await eventually(seconds: 60) { try await effects(app) == [1, 1, 1] })
            #expect(await eventually(seconds: 60) { service.capture.value("outbox_pending_messages") == 0 })
            second.stop()
        }
        _ = try TelemetryTesting.ChildProcess.run("/bin/rm", ["-rf", folder])
    }

    @Test func aHandlerUnderWayEndsBeforeTheServiceStops() async throws {
        let values = try await values()
        let counter = Calls()
        try await run(
            values,
            build: { app in
                app.on(OrderCreated.self) { event, context in
                    _ = counter.next()
                    try await Task.sleep(nanoseconds: 400_000_000)
                    try await Self.record(event, context)
                }
            }
        ) { (_, app) async throws in
            try await publish(OrderCreated(orderID: "o-1", total: 1), from: app)
            #expect(await eventually { counter.value == 1 })
        }
        let client = PostgreSQLClient(
            configuration: .init(url: values["TILL_DATABASE_URL"] ?? ""), group: TestService.group,
            telemetry: .disabled())
        #expect(try await client.query("SELECT effects", "SELECT 1 FROM effects").count == 1)
        await client.stop()
    }
}

private final class Box: Sendable {
    let seen = Mutex<[String]>([])
}

private final class Calls: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
