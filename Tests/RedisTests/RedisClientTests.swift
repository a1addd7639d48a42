import EventLoop
import LocalStack
import Redis
import Telemetry
import TelemetryTesting
import Testing

private func withClient(
    loops: Int = 1, configure: (inout RedisClient.Configuration) -> Void = { _ in },
    _ body: (RedisClient, TelemetryCapture) async throws -> Void
) async throws {
    var configuration = RedisClient.Configuration(url: try await TestServers.redis())
    configure(&configuration)
    let group = EventLoopGroup(count: loops)
    let capture = TelemetryCapture()
    let client = RedisClient(configuration: configuration, group: group, telemetry: capture.telemetry)
    try await client.start()
    do { try await body(client, capture) } catch {
        await client.stop()
        group.shutdown()
        throw error
    }
    await client.stop()
    group.shutdown()
}

@Suite struct RedisClientTests {
    @Test func keepsValuesThatAreNotText() async throws {
        try await withClient { client, _ in
            let value = "line\r\nnul\u{0} \" é"
            try await client.set("k", value, expirySeconds: 60)
            #expect(try await client.get("k") == value)
            #expect(try await client.delete("k") == 1)
            #expect(try await client.get("k") == nil)
        }
    }

    @Test func aThousandCommandsShareAConnection() async throws {
        try await withClient(loops: 2) { client, capture in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<1000 { tasks.addTask { try await client.command("INCR", "n") } }
                try await tasks.waitForAll()
            }
            #expect(try await client.get("n") == "1000")
            #expect(capture.value(#"redis_commands_total{command="INCR",outcome="success"}"#) == 1000)
            #expect((capture.value("redis_connected") ?? 0) <= 2)
        }
    }

    @Test func anErrorReplyIsAnErrorWithoutTheKey() async throws {
        try await withClient { client, capture in
            try await client.set("secret-key", "x")
            await #expect {
                try await client.command("LPUSH", "secret-key", "y")
            } throws: { error in
                (error as? RedisError)?.type == "WRONGTYPE"
            }
            let span = try #require(capture.spans.last { $0.name == "LPUSH" })
            #expect(span.attributes["error.type"] == .string("WRONGTYPE"))
            #expect(span.attributes["db.response.status_code"] == .string("WRONGTYPE"))
            #expect(span.attributes["db.namespace"] != nil)
            #expect(!span.attributes.values.contains(.string("secret-key")))
            let durations = "db_client_operation_duration_seconds_count"
            #expect(
                capture.sum(
                    durations, ("db_system_name", "redis"), ("db_operation_name", "LPUSH"),
                    ("db_response_status_code", "WRONGTYPE"), ("error_type", "WRONGTYPE")) == 1)
            #expect(capture.sum(durations, ("db_operation_name", "SET"), ("error_type", "")) == 1)
            #expect(capture.value(#"redis_commands_total{command="SET",outcome="error"}"#) == 0)
            #expect(
                capture.sum("db_client_operation_duration_seconds_sum")
                    == capture.sum("redis_command_duration_seconds_sum"))
        }
    }

    @Test func comesBackAfterItsConnectionWasCut() async throws {
        try await withClient { client, _ in
            // Its own connection only: other tests share the server.
            let id = try #require(try await client.command("CLIENT", "ID").text)
            _ = try? await client.command("CLIENT", "KILL", "ID", id, "SKIPME", "no")
            var answer: String?
            for _ in 0..<50 where answer == nil {
                answer = try? await client.command("PING").text
                if answer == nil { try await Task.sleep(nanoseconds: 20_000_000) }
            }
            #expect(answer == "PONG")
        }
    }

    @Test func aCommandThatIsNotAnsweredTimesOut() async throws {
        try await withClient(configure: { $0.commandTimeoutMilliseconds = 200 }) { client, _ in
            await #expect(throws: RedisError.timedOut) { try await client.command("BLPOP", "nothing", "2") }
        }
    }

    @Test func aScriptRunsAlsoAfterRedisForgotIt() async throws {
        try await withClient { client, _ in
            let script = RedisScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
            #expect(try await client.run(script, keys: ["s"], arguments: ["2"]).integer == 2)
            try await client.command("SCRIPT", "FLUSH")
            #expect(try await client.run(script, keys: ["s"], arguments: ["3"]).integer == 5)
        }
    }

    @Test func hashesAndScansAreRead() async throws {
        try await withClient { client, _ in
            try await client.command("HSET", "h", "a", "1", "b", "2")
            let pairs = try await client.hashGetAll("h").map { "\($0.field)=\($0.value)" }.sorted()
            #expect(pairs == ["a=1", "b=2"])
            for number in 0..<30 { try await client.set("scan:\(number)", "") }
            #expect(try await client.keys(matching: "scan:*", limit: 10).count == 10)
            #expect(try await client.keys(matching: "scan:*", limit: 100).count == 30)
        }
    }

    @Test func aServerThatIsNotThereIsReported() async throws {
        let group = EventLoopGroup(count: 1)
        let client = RedisClient(
            configuration: .init(url: "redis://:hunter2@127.0.0.1:1"), group: group, telemetry: .disabled())
        do {
            try await client.start()
            Issue.record("it connected")
        } catch {
            #expect(!"\(error)".contains("hunter2"))
        }
        await client.stop()
        group.shutdown()
    }
}
