import EventLoop
import Glibc
import Redis
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// Servers that refuse, hang or stall, in place of Redis.
@Suite struct RedisFaultTests {
    /// Counts connections; answers each line that starts a command with what `answer` says, or not at all.
    private final class StandIn: Sendable {
        let port: Int
        private let descriptor: Int32
        private let accepted = Atomic<Int>(0)
        private let received = Atomic<Int>(0)

        var connections: Int { accepted.load(ordering: .relaxed) }
        var bytesReceived: Int { received.load(ordering: .relaxed) }

        /// - Parameter greets: answers `+PONG` to the first thing said, then nothing more; closes at once otherwise.
        init(greets: Bool) throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && listen(descriptor, 128) == 0
                        && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(isBound)
            self.descriptor = descriptor
            port = Int(UInt16(bigEndian: address.sin_port))
            let workers = WorkerPool(threads: 1, name: "stand-in")
            _ = workers.submit { [self] in
                while true {
                    let peer = accept(descriptor, nil, nil)
                    guard peer >= 0 else { return }
                    accepted.wrappingAdd(1, ordering: .relaxed)
                    if greets { serve(peer) }
                    close(peer)
                }
            }
        }

        private func serve(_ peer: Int32) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var isFirst = true
            while true {
                let count = read(peer, &buffer, buffer.count)
                guard count > 0 else { return }
                received.wrappingAdd(count, ordering: .relaxed)
                if isFirst { _ = write(peer, "+PONG\r\n", 7) }
                isFirst = false
            }
        }

        func stop() {
            shutdown(descriptor, Int32(SHUT_RDWR))
            close(descriptor)
        }
    }

    private func withClient(
        port: Int, commandTimeoutMilliseconds: Int = 200, _ body: (RedisClient) async throws -> Void
    ) async throws {
        var configuration = RedisClient.Configuration(url: "redis://127.0.0.1:\(port)")
        configuration.commandTimeoutMilliseconds = commandTimeoutMilliseconds
        configuration.maxPending = 50
        let group = EventLoopGroup(count: 1)
        let client = RedisClient(configuration: configuration, group: group, telemetry: .disabled())
        do { try await body(client) } catch {
            await client.stop()
            group.shutdown()
            throw error
        }
        await client.stop()
        group.shutdown()
    }

    @Test func anOutageIsTriedAgainLessAndLessOften() async throws {
        let server = try StandIn(greets: false)
        try await withClient(port: server.port) { (client: RedisClient) async throws in
            await #expect(throws: RedisError.self) { try await client.command("PING") }
            try await Task.sleep(nanoseconds: 3_000_000_000)
            // Pauses of 50 to 100 ms, doubled each time: six or seven attempts in three seconds.
            #expect((3...12).contains(server.connections))
        }
        server.stop()
    }

    @Test func aServerThatHangsIsLeftAndWhatWaitsForItIsBounded() async throws {
        let server = try StandIn(greets: true)
        try await withClient(port: server.port) { (client: RedisClient) async throws in
            // More than may wait, in waves: those that timed out must not pile up behind the silent connection.
            for _ in 0..<4 {
                let errors = await withTaskGroup(of: RedisError?.self) { tasks in
                    for _ in 0..<80 {
                        tasks.addTask {
                            do { _ = try await client.command("GET", "k") } catch { return error as? RedisError }
                            return nil
                        }
                    }
                    return await tasks.reduce(into: [RedisError]()) { if let error = $1 { $0.append(error) } }
                }
                #expect(errors.count == 80)
            }
            // It opened other connections, instead of waiting for the first for ever.
            let opensOthers = await eventually {
                _ = try? await client.command("GET", "k")
                return server.connections >= 2
            }
            #expect(opensOthers)
        }
        server.stop()
    }

    @Test func aCommandWaitsNoLongerThanItsRequestMay() async throws {
        let server = try StandIn(greets: true)
        try await withClient(port: server.port, commandTimeoutMilliseconds: 60_000) {
            (client: RedisClient) async throws in
            let deadline = TelemetryClock.system.monotonicNanoseconds() + 100_000_000
            await TelemetryContext.$current.withValue(TelemetryContext(deadline: deadline)) {
                await #expect(throws: RedisError.timedOut) { try await client.command("GET", "k") }
            }
        }
        server.stop()
    }
}
