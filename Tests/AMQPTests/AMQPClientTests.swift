import AMQP
import EventLoop
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

private func message(_ id: String, _ body: [UInt8] = []) -> AMQPMessage { AMQPMessage(messageID: id, body: body) }

@Suite struct AMQPClientTests {
    @Test func whatIsPublishedIsConsumedWithItsContext() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let seen = Seen()
            let current = Mutex<TelemetryContext?>(nil)
            client.declare(topology)
            client.consume("work") { delivery in
                current.withLock { $0 = TelemetryContext.current }
                seen.add(delivery)
                return .acknowledge
            }
            try await client.start()
            var message = AMQPMessage(
                messageID: "m1", headers: ["n": .integer(-7), "b": .bool(true)], body: [1, 2, 3])
            message.correlationID = "c1"
            message.type = "order.created"
            message.timestamp = 1_700_000_000
            let root = broker.capture.telemetry.tracer.startSpan("root")
            let context = TelemetryContext(span: root.context, requestID: "r1")
            try await TelemetryContext.$current.withValue(context) {
                try await client.publish(message, exchange: "events", routingKey: "order.created")
            }
            try await seen.wait(for: 1)
            await client.stop(timeoutSeconds: 5)

            let delivery = try #require(seen.all.first)
            #expect(delivery.message.body == [1, 2, 3])
            #expect(delivery.message.messageID == "m1")
            #expect(delivery.message.correlationID == "c1")
            #expect(delivery.message.type == "order.created")
            #expect(delivery.message.timestamp == 1_700_000_000)
            #expect(delivery.message.contentType == "application/json")
            #expect(delivery.message.headers["n"] == .integer(-7))
            #expect(delivery.message.headers["b"] == .bool(true))
            #expect(delivery.exchange == "events")
            #expect(delivery.routingKey == "order.created")
            #expect(!delivery.isRedelivered)

            let publish = try #require(broker.capture.spans(named: "publish events").first)
            let process = try #require(broker.capture.spans(named: "process work").first)
            #expect(publish.kind == .producer)
            #expect(publish.parent == root.context.spanID)
            #expect(process.kind == .consumer)
            #expect(process.context.traceID == root.context.traceID)
            #expect(process.parent == publish.context.spanID)
            #expect(process.links.map(\.spanID) == [publish.context.spanID])
            #expect(process.attributes["messaging.message.conversation_id"] == .string("c1"))
            for span in [publish, process] {
                #expect(span.attributes["messaging.system"] == "rabbitmq")
                #expect(span.attributes["server.address"] == "127.0.0.1")
                #expect(span.attributes["server.port"] != nil)
            }
            #expect(
                broker.capture.sum(
                    "messaging_client_operation_duration_seconds_count", ("messaging_system", "rabbitmq"),
                    ("messaging_operation_name", "publish"), ("messaging_destination_name", "events"),
                    ("error_type", ""), ("server_address", "127.0.0.1")) == 1)
            #expect(
                broker.capture.sum(
                    "messaging_process_duration_seconds_count", ("messaging_operation_name", "process"),
                    ("messaging_destination_name", "work"), ("error_type", "")) == 1)
            let inHandler = current.withLock { $0 }
            #expect(inHandler?.requestID == "r1")
            #expect(inHandler?.span?.spanID == process.context.spanID)
            #expect(
                broker.capture.sum(
                    "messaging_client_consumed_messages_total", ("messaging_destination_name", "work"),
                    ("outcome", "acknowledged"), ("error_type", "")) == 1)
        }
    }

    @Test func whatIsRejectedGoesToTheDeadLetters() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            client.declare(topology)
            client.consume("work") { _ in .reject }
            try await client.start()
            try await client.publish(message("m", [7]), exchange: "events", routingKey: "order.x")
            try await eventually { try await client.messageCount(of: "work.dead") == 1 }
            // Looked at, it stays; taken, it is gone.
            for isRedelivered in [false, true] {
                let dead = try #require(try await client.peek(queue: "work.dead"))
                #expect(dead.message.messageID == "m")
                #expect(dead.message.body == [7])
                #expect(dead.message.headers["x-first-death-queue"] == .string("work"))
                #expect(dead.isRedelivered == isRedelivered)
            }
            #expect(try await client.take(queue: "work.dead")?.message.messageID == "m")
            #expect(try await client.take(queue: "work.dead") == nil)
            #expect(try await client.messageCount(of: "work.dead") == 0)
            await client.stop(timeoutSeconds: 5)
            #expect(broker.capture.spans(named: "process work").first?.attributes["error.type"] == "rejected")
            #expect(
                broker.capture.sum(
                    "messaging_process_duration_seconds_count", ("messaging_destination_name", "work"),
                    ("error_type", "rejected")) == 1)
            #expect(
                broker.capture.sum(
                    "messaging_client_consumed_messages_total", ("messaging_destination_name", "work"),
                    ("error_type", "rejected"), ("outcome", "rejected")) == 1)
        }
    }

    @Test func whatIsRequeuedComesAgain() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let seen = Seen()
            client.declare(topology)
            client.consume("work") { delivery in
                seen.add(delivery)
                return delivery.isRedelivered ? .acknowledge : .requeue
            }
            try await client.start()
            try await client.publish(message("m"), exchange: "events", routingKey: "order.x")
            try await seen.wait(for: 2)
            await client.stop(timeoutSeconds: 5)
            #expect(seen.all.map(\.isRedelivered) == [false, true])
        }
    }

    @Test func whatNobodyTakesComesBackToItsOwnPublisher() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            client.declare(topology)
            try await client.start()
            let lost = try await withThrowingTaskGroup(of: Int?.self) { tasks in
                for number in 0..<400 {
                    tasks.addTask {
                        do {
                            let key = number % 4 == 0 ? "nobody" : "order.x"
                            try await client.publish(message("m\(number)"), exchange: "events", routingKey: key)
                            return nil
                        } catch AMQPError.returned {
                            return number
                        }
                    }
                }
                return try await tasks.reduce(into: Set<Int>()) { if let number = $1 { $0.insert(number) } }
            }
            #expect(lost == Set(stride(from: 0, to: 400, by: 4)))
            #expect(try await client.messageCount(of: "work") == 300)
            await client.stop(timeoutSeconds: 5)
        }
    }

    @Test func whatTheQueueRefusesIsNotConfirmed() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            client.declare(
                AMQPTopology(queues: [
                    .init("small", arguments: ["x-max-length": .integer(1), "x-overflow": .string("reject-publish")])
                ]))
            try await client.start()
            try await client.publish(message("1"), exchange: "", routingKey: "small")
            await #expect(throws: AMQPError.notConfirmed) {
                try await client.publish(message("2"), exchange: "", routingKey: "small")
            }
            await client.stop(timeoutSeconds: 5)
        }
    }

    @Test func aMissingExchangeOrQueueCostsOnlyItsCaller() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let seen = Seen()
            client.declare(topology)
            client.consume("work") { delivery in
                seen.add(delivery)
                return .acknowledge
            }
            try await client.start()
            for round in 1...3 {
                await #expect {
                    try await client.publish(message("m"), exchange: "none", routingKey: "x")
                } throws: { error in
                    if case AMQPError.refused(let what) = error { what.contains("none") } else { false }
                }
                await #expect {
                    try await client.messageCount(of: "missing")
                } throws: { error in
                    if case AMQPError.refused(let what) = error { what.contains("missing") } else { false }
                }
                await #expect(throws: AMQPError.self) { try await client.peek(queue: "missing") }
                try await client.publish(message("m\(round)"), exchange: "events", routingKey: "order.x")
                #expect(try await client.messageCount(of: "work.dead") == 0)
                try await seen.wait(for: round)
            }
            await client.stop(timeoutSeconds: 5)
            #expect(broker.capture.value("amqp_reconnects_total") == 0)
            let none = ("messaging_destination_name", "none")
            let sent = "messaging_client_sent_messages_total"
            let durations = "messaging_client_operation_duration_seconds_count"
            #expect(broker.capture.sum(sent, none, ("error_type", "refused")) == 3)
            #expect(broker.capture.sum(durations, none, ("error_type", "refused")) == 3)
            // Failures that have not happened are there, at zero.
            #expect(broker.capture.sum(sent, none, ("error_type", "not_confirmed")) == 0)
            #expect(broker.capture.sum(sent, none, ("error_type", "")) == 0)
            #expect(broker.capture.logLines(event: AMQPTelemetry.refusedEvent).count == 3)
        }
    }

    @Test func fiveThousandMessagesAreConfirmedAndConsumed() async throws {
        try await TestBroker.with { broker in
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
                            message("\(number)", [0]), exchange: "events", routingKey: "order.x")
                    }
                }
                try await tasks.waitForAll()
            }
            try await eventually { count.load(ordering: .relaxed) >= 5000 }
            await client.stop(timeoutSeconds: 5)
            let consumed = count.load(ordering: .relaxed)
            #expect(consumed == 5000)
            #expect(
                broker.capture.sum(
                    "messaging_client_sent_messages_total", ("messaging_destination_name", "events"),
                    ("error_type", "")) == 5000)
        }
    }

    @Test func bodiesOfEverySizeArriveWholeAndOnesTooLongAreRejected() async throws {
        try await TestBroker.with { broker in
            let client = broker.client { $0.confirmTimeoutMilliseconds = 30_000 }
            let seen = Seen()
            client.declare(topology)
            client.consume("work") { delivery in
                seen.add(delivery)
                return .acknowledge
            }
            try await client.start()
            // A frame holds 128 KiB.
            let sizes = [0, 1, 131_064, 131_065, 131_072, 1_000_000]
            for size in sizes {
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                try await client.publish(message("\(size)", body), exchange: "events", routingKey: "order.x")
            }
            let tooLong = [UInt8](repeating: 1, count: 17 << 20)
            try await client.publish(message("long", tooLong), exchange: "events", routingKey: "order.x")
            try await client.publish(message("last"), exchange: "events", routingKey: "order.x")
            try await seen.wait(for: sizes.count + 1)
            #expect(seen.all.map(\.message.body.count) == sizes + [0])
            #expect(
                seen.all.allSatisfy { delivery in
                    delivery.message.body.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0 &* 31) }
                })
            try await eventually { try await client.messageCount(of: "work.dead") == 1 }
            await client.stop(timeoutSeconds: 5)
        }
    }
}

@Suite struct AMQPConnectionLossTests {
    @Test func comesBackAndConsumesAgain() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let seen = Seen()
            client.declare(topology)
            client.consume("work") { delivery in
                seen.add(delivery)
                return .acknowledge
            }
            try await client.start()
            for round in 1...3 {
                broker.proxy.cut()
                try await eventually { broker.capture.value("amqp_reconnects_total") == Double(round) }
                try await eventually { client.isConnected }
                try await client.publish(message("m\(round)"), exchange: "events", routingKey: "order.x")
                try await eventually { seen.all.contains { $0.message.messageID == "m\(round)" } }
            }
            await client.stop(timeoutSeconds: 5)
            // A connection that is cut may take an acknowledgement with it: then the broker delivers once more.
            #expect(Set(seen.all.map(\.message.messageID)) == ["m1", "m2", "m3"])
            #expect(broker.capture.logLines(event: AMQPTelemetry.lostEvent).count >= 3)
            #expect(broker.capture.value("amqp_connected") == 0)
        }
    }

    @Test func aDeliveryOfTheOldConnectionIsNotAcknowledgedOnTheNew() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let seen = Seen()
            let gate = Gate()
            client.declare(topology)
            client.consume("work") { delivery in
                seen.add(delivery)
                if !delivery.isRedelivered { await gate.wait() }
                return .acknowledge
            }
            try await client.start()
            try await client.publish(message("m"), exchange: "events", routingKey: "order.x")
            try await seen.wait(for: 1)
            broker.proxy.cut()
            try await seen.wait(for: 2)
            gate.open()
            try await client.publish(message("n"), exchange: "events", routingKey: "order.x")
            try await seen.wait(for: 3)
            await client.stop(timeoutSeconds: 5)
            #expect(seen.all.map(\.isRedelivered).prefix(2) == [false, true])
            #expect(broker.capture.value("amqp_reconnects_total") == 1)
        }
    }

    @Test func whatIsNotConfirmedWhenTheConnectionGoesIsAnError() async throws {
        try await TestBroker.with { broker in
            let client = broker.client { $0.confirmTimeoutMilliseconds = 60_000 }
            client.declare(topology)
            try await client.start()
            broker.proxy.hold(true)
            async let outcome: Void = client.publish(message("m"), exchange: "events", routingKey: "order.x")
            try await Task.sleep(nanoseconds: 50_000_000)
            broker.proxy.cut()
            do {
                try await outcome
                Issue.record("it was confirmed")
            } catch let error as AMQPError {
                guard case .connection = error else { throw error }
            }
            broker.proxy.hold(false)
            try await eventually { client.isConnected }
            await client.stop(timeoutSeconds: 5)
        }
    }

    @Test func aSilentBrokerTimesPublishersOutAndThenLosesItsConnection() async throws {
        try await TestBroker.with { broker in
            let client = broker.client {
                $0.confirmTimeoutMilliseconds = 200
                $0.heartbeatSeconds = 1
                $0.maxUnconfirmed = 8
            }
            client.declare(topology)
            try await client.start()
            broker.proxy.hold(true)
            let errors = await withTaskGroup(of: AMQPError?.self) { tasks in
                for number in 0..<10 {
                    tasks.addTask {
                        do {
                            try await client.publish(message("\(number)"), exchange: "events", routingKey: "order.x")
                            return nil
                        } catch { return error as? AMQPError }
                    }
                }
                return await tasks.reduce(into: [AMQPError?]()) { $0.append($1) }
            }
            #expect(errors.count { $0 == .timedOut } == 8)
            #expect(errors.count { $0 == .tooManyWaiting } == 2)
            // Missed heartbeats tell that the other side is gone.
            try await eventually { !client.isConnected }
            await #expect(throws: AMQPError.self) {
                try await client.publish(message("x"), exchange: "events", routingKey: "order.x")
            }
            broker.proxy.hold(false)
            broker.proxy.cut()
            try await eventually { client.isConnected }
            try await client.publish(message("again"), exchange: "events", routingKey: "order.x")
            await client.stop(timeoutSeconds: 5)
        }
    }

    @Test func aStartThatFailedMayBeTriedAgain() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            client.declare(topology)
            broker.proxy.refuse(true)
            await #expect(throws: AMQPError.self) { try await client.start() }
            #expect(!client.isConnected)
            broker.proxy.refuse(false)
            try await client.start()
            #expect(client.isConnected)
            await #expect(throws: AMQPError.self) { try await client.start() }
            await client.stop(timeoutSeconds: 5)
            #expect(!client.isConnected)
        }
    }

    @Test func aTopologyThatContradictsTheBrokerIsNamed() async throws {
        try await TestBroker.with { broker in
            let first = broker.client()
            first.declare(topology)
            try await first.start()
            let second = broker.client()
            second.declare(AMQPTopology(queues: [.init("work")]))
            do {
                try await second.start()
                Issue.record("it started")
            } catch {
                #expect("\(error)".contains("queue.declare work"))
                #expect("\(error)".contains("x-dead-letter-exchange"))
            }
            await first.stop(timeoutSeconds: 5)
            await second.stop(timeoutSeconds: 5)
        }
    }

    @Test func aBrokerThatIsNotThereIsNamedWithoutThePassword() async throws {
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        for url in ["amqp://me:hunter2@127.0.0.1:1/", "http://me:hunter2@x", "amqp://me:hunter2%zz@x/"] {
            let client = AMQPClient(configuration: .init(url: url), group: group, telemetry: .disabled())
            do {
                try await client.start()
                Issue.record("it connected")
            } catch {
                #expect(error is AMQPError)
                #expect(!"\(error)".contains("hunter2"))
            }
            await client.stop(timeoutSeconds: 5)
        }
    }

    @Test func aWrongPasswordIsSaidToBeOne() async throws {
        try await TestBroker.with { broker in
            let client = broker.client { $0.url = $0.url.replacing("guest:guest", with: "guest:hunter2") }
            do {
                try await client.start()
                Issue.record("it connected")
            } catch {
                #expect("\(error)".contains("ACCESS_REFUSED"))
                #expect(!"\(error)".contains("hunter2"))
            }
        }
    }
}

@Suite struct AMQPStopTests {
    @Test func waitsForTheHandlerAndForWhatItPublishes() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let started = Seen()
            let gate = Gate()
            let published = Atomic<Bool>(false)
            client.declare(topology)
            client.consume("work") { delivery in
                started.add(delivery)
                await gate.wait()
                let isPublished =
                    (try? await client.publish(message("answer"), exchange: "", routingKey: "work.dead")) != nil
                published.store(isPublished, ordering: .releasing)
                return .acknowledge
            }
            try await client.start()
            try await client.publish(message("m"), exchange: "events", routingKey: "order.x")
            try await started.wait(for: 1)
            async let stopped: Void = client.stop(timeoutSeconds: 20)
            gate.open()
            await stopped
            let wasPublished = published.load(ordering: .acquiring)
            #expect(wasPublished)
            let second = broker.client()
            try await second.start()
            #expect(try await second.messageCount(of: "work") == 0)
            #expect(try await second.messageCount(of: "work.dead") == 1)
            await second.stop(timeoutSeconds: 5)
        }
    }

    @Test func aHandlerThatNeverEndsIsLeftAndItsMessageIsDeliveredAgain() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            let started = Seen()
            let gate = Gate()
            client.declare(topology)
            client.consume("work") { delivery in
                started.add(delivery)
                await gate.wait()
                return .acknowledge
            }
            try await client.start()
            try await client.publish(message("m"), exchange: "events", routingKey: "order.x")
            try await started.wait(for: 1)
            await client.stop(timeoutSeconds: 0)
            let second = broker.client()
            let seen = Seen()
            second.consume("work") { delivery in
                seen.add(delivery)
                return .acknowledge
            }
            try await second.start()
            try await seen.wait(for: 1)
            #expect(seen.all.map(\.isRedelivered) == [true])
            gate.open()
            await second.stop(timeoutSeconds: 5)
        }
    }

    @Test func afterItNothingGoesOutAndNothingStarts() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            client.declare(topology)
            await #expect(throws: AMQPError.self) {
                try await client.publish(message("early"), exchange: "events", routingKey: "order.x")
            }
            try await client.start()
            await client.stop(timeoutSeconds: 5)
            await client.stop(timeoutSeconds: 5)
            await #expect(throws: AMQPError.shutDown) {
                try await client.publish(message("late"), exchange: "events", routingKey: "order.x")
            }
            await #expect(throws: AMQPError.shutDown) { try await client.messageCount(of: "work") }
            await #expect(throws: AMQPError.shutDown) { try await client.start() }
            await broker.client().stop(timeoutSeconds: 5)
        }
    }

    @Test func itIsQuickWhileTheBrokerIsAway() async throws {
        try await TestBroker.with { broker in
            let client = broker.client()
            try await client.start()
            broker.proxy.refuse(true)
            broker.proxy.cut()
            try await eventually { !client.isConnected }
            await client.stop(timeoutSeconds: 600)
        }
    }
}
