import LocalStack
import Testing

@Suite struct TestServersTests {
    @Test func everyTestGetsItsOwnDatabase() async throws {
        let first = try await TestServers.postgresDatabase()
        let second = try await TestServers.postgresDatabase()
        #expect(first != second)
        #expect(first.hasPrefix("postgresql://postgres@127.0.0.1:"))
    }

    @Test func redisAnswers() async throws {
        let url = try await TestServers.redis()
        let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
        let answer = try Command.run(["redis-cli", "-p", String(port), "ping"])
        #expect(answer.output == "PONG\n")
    }

    @Test func everyTestGetsItsOwnVirtualHost() async throws {
        let first = try await TestServers.rabbitmq()
        let second = try await TestServers.rabbitmq()
        #expect(first != second)
    }

    @Test func aProgramThatIsMissingIsNamed() {
        #expect(throws: LocalStackError.self) {
            let child = try ChildProcess(
                name: "Nothing", ["/no/such/program"], logPath: "/tmp/vitrine-no-such-program.log")
            // setpriv itself starts; the missing program shows as an early end.
            for _ in 0..<100 where child.isRunning {}
            throw LocalStackError(child.lastLines())
        }
    }

    @Test func aCommandReportsItsStatusAndOutput() throws {
        let result = try Command.run(["sh", "-c", "echo out; exit 3"])
        #expect(result.status == 3)
        #expect(result.output == "out\n")
    }
}
