import EventLoop
import LocalStack
import PostgreSQL
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// A client on a fresh database, for the length of a test.
private func withClient(
    loops: Int = 1, configure: (inout PostgreSQLClient.Configuration) -> Void = { _ in },
    _ body: (PostgreSQLClient, TelemetryCapture) async throws -> Void
) async throws {
    let url = try await TestServers.postgresDatabase()
    var configuration = PostgreSQLClient.Configuration(url: url)
    configure(&configuration)
    let group = EventLoopGroup(count: loops)
    let capture = TelemetryCapture()
    let client = PostgreSQLClient(configuration: configuration, group: group, telemetry: capture.telemetry)
    try await client.start()
    do { try await body(client, capture) } catch {
        await client.stop()
        group.shutdown()
        throw error
    }
    await client.stop()
    group.shutdown()
}

/// Counts from any thread.
private final class Tally: Sendable {
    private let value = Atomic<Int>(0)
    func add() { value.wrappingAdd(1, ordering: .relaxed) }
    var count: Int { value.load(ordering: .relaxed) }
}

@Suite struct PostgreSQLClientTests {
    @Test func valuesComeBackAsTheyWent() async throws {
        try await withClient { client, _ in
            let nasty = "Robert'); DROP TABLE students;-- $1 \\ \" é 🛒"
            let nothing: String? = nil
            let result = try await client.query(
                "SELECT values",
                """
                SELECT \(42)::int8 AS i, \(nasty)::text AS s, \(true)::bool AS b, \(1.5)::float8 AS d,
                       \(nothing)::text AS n, \([nasty, "b"])::text[] AS a,
                       \(PostgreSQLBytes([0, 255, 10]))::bytea AS raw
                """)
            let row = try #require(result.first)
            #expect(try row.get("i", as: Int.self) == 42)
            #expect(try row.get("s", as: String.self) == nasty)
            #expect(try row.get("b", as: Bool.self))
            #expect(try row.get("d", as: Double.self) == 1.5)
            #expect(try row.optional("n", as: String.self) == nil)
            #expect(try row.get("raw", as: PostgreSQLBytes.self).bytes == [0, 255, 10])
            #expect(throws: PostgreSQLError.self) { _ = try row.get("n", as: String.self) }
            #expect(throws: PostgreSQLError.self) { _ = try row.get("s", as: Int.self) }
            #expect(throws: PostgreSQLError.self) { _ = try row.get("nothing", as: Int.self) }
        }
    }

    @Test func aFragmentKeepsItsParameters() async throws {
        try await withClient { client, _ in
            let filter: SQL = "x > \(1) AND x < \(4)"
            let result = try await client.query(
                "SELECT series",
                "SELECT x FROM generate_series(1, \(9)) AS x WHERE \(fragment: filter) AND x <> \(3) ORDER BY x")
            #expect(try result.rows.map { try $0.get("x", as: Int.self) } == [2])
        }
    }

    @Test func aTransactionIsAllOrNothing() async throws {
        struct Stop: Error {}
        try await withClient { client, _ in
            try await client.script("CREATE TABLE", "CREATE TABLE t (id int PRIMARY KEY)")
            try await client.transaction { tx in
                try await tx.query("INSERT t", "INSERT INTO t VALUES (\(1))")
                try await tx.query("INSERT t", "INSERT INTO t VALUES (\(2))")
            }
            await #expect(throws: Stop.self) {
                try await client.transaction { tx in
                    try await tx.query("INSERT t", "INSERT INTO t VALUES (\(3))")
                    throw Stop()
                }
            }
            let ids = try await client.query("SELECT t", "SELECT id FROM t ORDER BY id").rows
            #expect(try ids.map { try $0.get("id", as: Int.self) } == [1, 2])
        }
    }

    @Test func errorsCarryTheStateAndTheConstraintButNoValues() async throws {
        try await withClient { client, _ in
            try await client.script("CREATE TABLE", "CREATE TABLE t (name text CONSTRAINT one_name UNIQUE)")
            try await client.query("INSERT t", "INSERT INTO t VALUES (\("secret"))")
            do {
                try await client.query("INSERT t", "INSERT INTO t VALUES (\("secret"))")
                Issue.record("the duplicate was accepted")
            } catch let error as PostgreSQLError {
                #expect(error.isUniqueViolation)
                guard case .server(_, _, let constraint) = error else { return }
                #expect(constraint == "one_name")
                #expect(!error.description.contains("secret"))
            }
        }
    }

    @Test func serializationFailuresAreRunAgain() async throws {
        try await withClient(loops: 2) { client, _ in
            try await client.script("CREATE TABLE", "CREATE TABLE t (n int); INSERT INTO t VALUES (0)")
            let attempts = Tally()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<2 {
                    tasks.addTask {
                        try await client.transaction { tx in
                            attempts.add()
                            try await tx.query("SET", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                            let n = try await tx.query("SELECT t", "SELECT n FROM t").first?.get("n", as: Int.self) ?? 0
                            try await tx.query("SELECT pg_sleep", "SELECT pg_sleep(0.05)")
                            try await tx.query("UPDATE t", "UPDATE t SET n = \(n + 1)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            let n = try await client.query("SELECT t", "SELECT n FROM t").first?.get("n", as: Int.self)
            #expect(n == 2)
            #expect(attempts.count >= 3)
        }
    }

    @Test func aSlowStatementIsCutByItsTimeout() async throws {
        try await withClient(configure: { $0.statementTimeoutMilliseconds = 100 }) { client, _ in
            await #expect {
                try await client.query("SELECT pg_sleep", "SELECT pg_sleep(5)")
            } throws: { error in
                if case PostgreSQLError.server("57014", _, _) = error { true } else { false }
            }
        }
    }

    @Test func aFullPoolRefusesInTime() async throws {
        try await withClient(configure: {
            $0.poolSizePerLoop = 1
            $0.acquireTimeoutMilliseconds = 200
        }) { client, capture in
            async let slow: Void = client.transaction { tx in
                try await tx.query("SELECT pg_sleep", "SELECT pg_sleep(1)")
            }
            try await Task.sleep(nanoseconds: 50_000_000)
            await #expect {
                try await client.query("SELECT one", "SELECT 1")
            } throws: { error in
                if case PostgreSQLError.poolTimeout = error { true } else { false }
            }
            try await slow
            #expect(capture.sum("db_client_connection_timeouts_total") == 1)
        }
    }

    @Test func recoversFromAConnectionThatTheServerCut() async throws {
        try await withClient { client, _ in
            for _ in 0..<3 {
                await #expect {
                    try await client.transaction { tx in
                        try await tx.query("SELECT terminate", "SELECT pg_terminate_backend(pg_backend_pid())")
                        try await tx.query("SELECT one", "SELECT 1")
                    }
                } throws: { error in
                    if case PostgreSQLError.connection = error { true } else { false }
                }
                let one = try await client.query("SELECT one", "SELECT 1 AS x").first?.get("x", as: Int.self)
                #expect(one == 1)
            }
        }
    }

    @Test func aCancelledStatementFreesItsConnection() async throws {
        try await withClient(configure: { $0.poolSizePerLoop = 1 }) { client, _ in
            let task = Task { try await client.query("SELECT pg_sleep", "SELECT pg_sleep(4)") }
            try await Task.sleep(nanoseconds: 100_000_000)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let one = try await client.query("SELECT one", "SELECT 1 AS x").first?.get("x", as: Int.self)
            #expect(one == 1)
        }
    }

    @Test func aThousandStatementsShareAFewConnections() async throws {
        try await withClient(loops: 2, configure: { $0.poolSizePerLoop = 3 }) { client, capture in
            let sum = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for number in 0..<1000 {
                    tasks.addTask {
                        try await client.query("SELECT number", "SELECT \(number)::int8 AS x").first?.get("x") ?? 0
                    }
                }
                return try await tasks.reduce(0, +)
            }
            #expect(sum == 499_500)
            #expect(
                capture.value(#"db_queries_total{operation="SELECT",collection="number",outcome="success"}"#) == 1000)
            #expect(capture.sum("db_client_connection_count", ("db_client_connection_state", "used")) == 0)
        }
    }

    @Test func notificationsArriveAlsoAfterAReconnect() async throws {
        try await withClient { client, _ in
            let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(64))
            let listener = client.listen("news") { continuation.yield($0) }
            defer { listener.cancel() }
            var iterator = stream.makeAsyncIterator()
            try await waitForListener(client)
            try await client.query("NOTIFY news", "SELECT pg_notify('news', \("first"))")
            #expect(await iterator.next() == "first")
            try await client.query(
                "SELECT terminate",
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name LIKE '%listener' AND datname = current_database()
                """)
            #expect(await iterator.next() == "")
            try await client.query("NOTIFY news", "SELECT pg_notify('news', \("second"))")
            #expect(await iterator.next() == "second")
        }
    }

    private func waitForListener(_ client: PostgreSQLClient) async throws {
        for _ in 0..<6_000 {
            let listening = try await client.query(
                "SELECT pg_stat_activity",
                """
                SELECT 1 FROM pg_stat_activity
                WHERE application_name LIKE '%listener' AND query LIKE 'LISTEN%' AND state = 'idle'
                  AND datname = current_database()
                """)
            if listening.count > 0 { return }
            try await Task.sleep(nanoseconds: 10_000_000)
        }
    }

    @Test func aStatementIsASpanWithItsSummary() async throws {
        try await withClient { client, capture in
            try await client.query("SELECT numbers", "SELECT \(7)::int8 AS x")
            let span = try #require(capture.spans.first { $0.name == "SELECT numbers" })
            #expect(span.kind == .client)
            #expect(span.attributes["db.system.name"] == .string("postgresql"))
            #expect(span.attributes["db.operation.name"] == .string("SELECT"))
            #expect(span.attributes["db.query.text"] == .string("SELECT $1::int8 AS x"))
        }
    }

    /// The labels of the stable metric for one statement.
    private func durations(
        _ capture: TelemetryCapture, _ operation: String, _ collection: String, status: String = "", error: String = ""
    ) -> Double? {
        capture.sum(
            "db_client_operation_duration_seconds_count", ("db_system_name", "postgresql"),
            ("db_operation_name", operation), ("db_collection_name", collection), ("db_response_status_code", status),
            ("error_type", error), ("server_address", "127.0.0.1"))
    }

    @Test func theStableNameMeasuresTheSameStatements() async throws {
        try await withClient { client, capture in
            try await client.query("SELECT numbers", "SELECT \(7)::int8 AS x")
            await #expect(throws: PostgreSQLError.self) { try await client.query("SELECT nothing", "SELECT 1 / 0") }
            #expect(durations(capture, "SELECT", "numbers") == 1)
            #expect(durations(capture, "SELECT", "nothing") == 0)
            #expect(durations(capture, "SELECT", "nothing", status: "22012", error: "22012") == 1)
            #expect(
                capture.sum("db_client_operation_duration_seconds_sum")
                    == capture.sum("db_query_duration_seconds_sum"))
            let span = try #require(capture.spans(named: "SELECT nothing").first)
            #expect(span.attributes["db.response.status_code"] == "22012")
            #expect(span.attributes["error.type"] == "22012")
            #expect(span.attributes["server.address"] == "127.0.0.1")
            #expect(span.status == .error(""))
        }
    }

    @Test func failuresOfAStatementAreShownBeforeTheyHappen() async throws {
        try await withClient { client, capture in
            try await client.query("SELECT numbers", "SELECT 1")
            for outcome in ["error", "cancelled"] {
                #expect(
                    capture.value(
                        #"db_queries_total{operation="SELECT",collection="numbers",outcome="\#(outcome)"}"#) == 0)
            }
        }
    }

    @Test func whoGoesAwayMakesNoErrorOfTheDatabase() async throws {
        try await withClient(configure: { $0.statementTimeoutMilliseconds = 120_000 }) { client, capture in
            let caller = Task { try await client.query("SELECT pg_sleep", "SELECT pg_sleep(100)") }
            // Cancelled while it runs, not before it is sent.
            let isRunning = try await eventually {
                try await client.query(
                    "SELECT pg_stat_activity",
                    """
                    SELECT 1 FROM pg_stat_activity
                    WHERE query LIKE 'SELECT pg_sleep(100)%' AND state = 'active' AND datname = current_database()
                    """
                ).count > 0
            }
            #expect(isRunning)
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
            let span = try #require(capture.spans(named: "SELECT pg_sleep").first)
            #expect(span.status == .unset)
            #expect(span.attributes["error.type"] == nil)
            let queries = #"db_queries_total{operation="SELECT",collection="pg_sleep",outcome="#
            #expect(capture.value(queries + #""cancelled"}"#) == 1)
            #expect(capture.value(queries + #""error"}"#) == 0)
            #expect(durations(capture, "SELECT", "pg_sleep") == 1)
        }
    }

    @Test func aServerThatIsNotThereIsNamed() async throws {
        let group = EventLoopGroup(count: 1)
        let client = PostgreSQLClient(
            configuration: .init(url: "postgresql://me:hunter2@127.0.0.1:1/none"), group: group,
            telemetry: .disabled())
        do {
            try await client.start()
            Issue.record("it connected")
        } catch {
            #expect("\(error)".contains("127.0.0.1"))
            #expect(!"\(error)".contains("hunter2"))
        }
        await client.stop()
        group.shutdown()
    }
}
