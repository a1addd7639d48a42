internal import AMQP
internal import EventLoop
internal import FoundationEssentials
internal import PostgreSQL
internal import Synchronization
internal import Telemetry
internal import Values

/// Publishes the outbox: woken by NOTIFY at each commit and by the clock, in order, with confirms. A row is marked in
/// the transaction that locked it, so that several relays share the work and a crash repeats at most one batch.
final class OutboxRelay: Sendable {
    private let service: String
    private let broker: AMQPClient
    private let database: PostgreSQLClient
    private let telemetry: MessagingTelemetry
    private let loop: EventLoop
    private let faults: FaultSwitches?
    private let running = Mutex<Running?>(nil)

    private struct Running {
        let task: Task<Void, Never>
        let listener: PostgreSQLListener
        let wake: AsyncStream<Void>.Continuation
    }

    private static let batch = 100
    /// How long the relay goes on looking after it has published something, and how often it looks.
    private static let lingerMilliseconds = 200
    private static let lookMilliseconds = 10
    private static let maxLooks = 100
    private static let pollMilliseconds: UInt64 = 1_000
    private static let pruneEveryPolls = 60
    private static let gaugeEveryPolls = 5
    private static let pruneRows = 1_000

    init(
        service: String, broker: AMQPClient, database: PostgreSQLClient, telemetry: MessagingTelemetry,
        loop: EventLoop, faults: FaultSwitches? = nil
    ) {
        self.faults = faults
        self.service = service
        self.broker = broker
        self.database = database
        self.telemetry = telemetry
        self.loop = loop
    }

    func start() {
        // One wake-up that waits is as good as many.
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let listener = database.listen(Outbox.channel) { _ in wake.yield() }
        let task = loop.spawn { [self] in
            let clock = loop.spawn {
                while !Task.isCancelled {
                    wake.yield()
                    do { try await Task.sleep(nanoseconds: Self.pollMilliseconds * 1_000_000) } catch { return }
                }
            }
            // Looking for events, mostly in vain, makes no traces; each event is published in its own.
            await TelemetryContext.$current.withValue(.unsampled) { await run(wakes) }
            clock.cancel()
        }
        running.withLock { $0 = Running(task: task, listener: listener, wake: wake) }
    }

    /// Finishes the batch under way.
    func stop() async {
        let running = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let running else { return }
        running.listener.cancel()
        running.wake.finish()
        await running.task.value
    }

    private func run(_ wakes: AsyncStream<Void>) async {
        var polls = 0
        for await _ in wakes {
            polls += 1
            do {
                try await publishAll()
                if polls % Self.gaugeEveryPolls == 1 { try await measure() }
                if polls % Self.pruneEveryPolls == 0 { try await prune() }
            } catch {
                telemetry.logger.log(
                    MessagingTelemetry.relayFailed, "events wait in the outbox: \(Self.words(error))")
            }
        }
    }

    /// Publishes what is there, and what commits in the moments after: not every transaction wakes the relay.
    private func publishAll() async throws {
        var left = 0
        // Bounded, so that a steady stream of events leaves time for gauges and pruning; the clock brings us back.
        for _ in 0..<Self.maxLooks {
            let count = try await publishBatch()
            if count == Self.batch { continue }
            left = count > 0 ? Self.lingerMilliseconds / Self.lookMilliseconds : left - 1
            guard left > 0, !isStopping else { return }
            try await Task.sleep(nanoseconds: UInt64(Self.lookMilliseconds) * 1_000_000)
        }
    }

    private var isStopping: Bool { running.withLock { $0 == nil } }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as PostgreSQLError: error.description
        case let error as AMQPError: error.description
        default: "\(type(of: error))"
        }
    }

    private struct Row: Sendable {
        let lsn: Int64
        let message: AMQPMessage
        let type: String
        let context: TelemetryContext
    }

    /// - Returns: how many rows there were.
    private func publishBatch() async throws -> Int {
        guard broker.isConnected, faults?.hits(.stoppedRelay) != true else { return 0 }
        return try await database.transaction { [self] transaction in
            let rows = try await transaction.query(
                "SELECT outbox",
                """
                SELECT id, lsn, created_at, type, subject, body, headers FROM outbox
                WHERE published_at IS NULL ORDER BY lsn LIMIT \(Self.batch) FOR UPDATE SKIP LOCKED
                """
            ).rows.map(row)
            guard !rows.isEmpty else { return 0 }
            CrashPoint.reach("outbox.before_publish")
            let (published, failure) = await publish(rows)
            CrashPoint.reach("outbox.after_publish")
            try await transaction.query(
                "UPDATE outbox",
                "UPDATE outbox SET published_at = now(), updated_at = now() WHERE lsn = ANY(\(published)::bigint[])")
            if let failure {
                telemetry.logger.log(
                    MessagingTelemetry.relayFailed,
                    "\(rows.count - published.count) events wait in the outbox: \(failure.description)")
                return 0
            }
            return rows.count
        }
    }

    private func row(_ row: PostgreSQLRow) throws -> Row {
        let id: String = try row.get("id")
        let type: String = try row.get("type")
        let subject: String = try row.get("subject")
        let createdAt: Timestamp = try row.get("created_at")
        let body: String = try row.get("body")
        let text: String = try row.get("headers")
        let headers = (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
        // CloudEvents 1.0, AMQP binding, binary mode.
        var message = AMQPMessage(
            messageID: id,
            headers: [
                "cloudEvents:specversion": .string("1.0"), "cloudEvents:id": .string(id),
                "cloudEvents:type": .string(type), "cloudEvents:source": .string("/vitrine/\(service)"),
                "cloudEvents:subject": .string(subject), "cloudEvents:time": .string(createdAt.description),
            ], body: Array(body.utf8))
        message.correlationID = subject
        message.type = type
        message.timestamp = UInt64(max(0, createdAt.secondsSince1970))
        return Row(
            lsn: try row.get("lsn"), message: message, type: type, context: Propagation.extract { headers[$0] })
    }

    /// Publishes all at once, in order, and waits for every confirm.
    private func publish(_ rows: [Row]) async -> (published: [Int64], failure: AMQPError?) {
        await withTaskGroup(of: (Int64, AMQPError?).self) { tasks in
            for row in rows {
                tasks.addTask { [self] in (row.lsn, await publish(row)) }
            }
            var published: [Int64] = []
            var failure: AMQPError?
            for await (lsn, error) in tasks {
                if let error { failure = error } else { published.append(lsn) }
            }
            return (published, failure)
        }
    }

    private func publish(_ row: Row) async -> AMQPError? {
        do {
            try await TelemetryContext.$current.withValue(row.context) {
                try await broker.publish(row.message, exchange: EventTopology.exchange, routingKey: row.type)
            }
            telemetry.published.series(row.type).increment()
            return nil
        } catch AMQPError.returned {
            // Nobody consumes this kind of event: that is not the publisher's failure.
            telemetry.unroutable.series(row.type).increment()
            return nil
        } catch {
            telemetry.failures.series(row.type).increment()
            return (error as? AMQPError) ?? .notConfirmed
        }
    }

    private func measure() async throws {
        let row = try await database.query(
            "SELECT outbox",
            """
            SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age
            FROM outbox WHERE published_at IS NULL
            """
        ).first
        telemetry.pending.set(Double(try row?.get("pending", as: Int.self) ?? 0))
        telemetry.oldest.set(try row?.get("age") ?? 0)
    }

    /// Forgets what was published a day ago and handled a month ago, a bounded number of rows at a time.
    private func prune() async throws {
        try await database.query(
            "DELETE outbox",
            """
            DELETE FROM outbox WHERE id IN (
                SELECT id FROM outbox WHERE published_at < now() - interval '1 day' LIMIT \(Self.pruneRows))
            """)
        try await database.query(
            "DELETE inbox",
            """
            DELETE FROM inbox WHERE (message_id, consumer) IN (
                SELECT message_id, consumer FROM inbox WHERE processed_at < now() - interval '30 days'
                LIMIT \(Self.pruneRows))
            """)
    }
}
