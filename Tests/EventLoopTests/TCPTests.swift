import EventLoop
import Glibc
import Synchronization
import Testing

private let group = EventLoopGroup(count: 2)

/// Remembers what happens to a connection. Touched on its loop only, read through `loop.run`.
private final class Recorder: TCPConnectionDelegate, @unchecked Sendable {
    var received: [UInt8] = []
    var ends = 0
    var drains = 0
    var closes = 0
    var error: TCPError?
    var onReceive: ((TCPConnection, UnsafeRawBufferPointer) -> Void)?

    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer) {
        received.append(contentsOf: bytes)
        onReceive?(connection, bytes)
    }
    func connectionReachedEnd(_ connection: TCPConnection) { ends += 1 }
    func connectionDrained(_ connection: TCPConnection) { drains += 1 }
    func connectionClosed(_ connection: TCPConnection, error: TCPError?) {
        closes += 1
        self.error = error
    }
}

/// Both ends of a connection on one loop.
private struct Pair: Sendable {
    let loop: EventLoop
    let listener: TCPListener
    let client: TCPConnection
    let server: TCPConnection
    let clientSide = Recorder()
    let serverSide = Recorder()

    /// Call on the loop.
    init(_ loop: EventLoop) async throws {
        self.loop = loop
        let accepted = Mutex<TCPConnection?>(nil)
        let address = try #require(SocketAddress("127.0.0.1", port: 0))
        listener = try TCPListener(loop: loop, address: address) { connection in
            accepted.withLock { $0 = connection }
        }
        client = try await TCPConnection.connect(to: listener.address, on: loop, timeoutMilliseconds: 20_000)
        var found = accepted.withLock { $0 }
        while found == nil {
            try await loop.sleep(milliseconds: 1)
            found = accepted.withLock { $0 }
        }
        server = try #require(found)
        client.delegate = clientSide
        server.delegate = serverSide
        client.startReading()
        server.startReading()
    }

    func close() {
        client.close()
        server.close()
        listener.close()
    }

    /// Waits until something is so.
    func until(_ condition: () -> Bool) async throws {
        for _ in 0..<60_000 where !condition() { try await loop.sleep(milliseconds: 1) }
        #expect(condition())
    }
}

/// Connections and listeners.
@Suite struct TCPTests {
    private func withPair(_ body: @escaping @Sendable (Pair) async throws -> Void) async throws {
        let loop = group.loops[0]
        try await loop.run {
            let pair = try await Pair(loop)
            try await body(pair)
            pair.close()
        }
    }

    @Test func bytesGoBothWaysAndAddressesAgree() async throws {
        try await withPair { pair in
            Array("ping".utf8).withUnsafeBytes { pair.client.write($0) }
            try await pair.until { pair.serverSide.received == Array("ping".utf8) }
            Array("po".utf8).withUnsafeBytes { first in
                Array("ng".utf8).withUnsafeBytes { pair.server.write(first, $0) }
            }
            try await pair.until { pair.clientSide.received == Array("pong".utf8) }
            #expect(pair.client.peer?.port == pair.listener.address.port)
            #expect(pair.server.peer?.port == pair.client.local?.port)
            #expect(pair.server.peer?.ip == "127.0.0.1")
            #expect(pair.client.queuedBytes == 0)
        }
    }

    @Test func whatTheSocketDoesNotTakeIsQueuedAndDrained() async throws {
        try await withPair { pair in
            pair.server.stopReading()
            // A prime period, so that a piece that is lost or doubled shows.
            let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 5) }
            let bytes = (0..<160).reduce(into: [UInt8]()) { bytes, _ in bytes += pattern }
            let size = bytes.count
            let half = size / 2
            bytes.withUnsafeBytes { all in
                pair.client.write(
                    UnsafeRawBufferPointer(rebasing: all[..<half]), UnsafeRawBufferPointer(rebasing: all[half...]))
            }
            #expect(pair.client.isCongested)
            #expect(pair.client.queuedBytes > 0)
            #expect(pair.clientSide.drains == 0)
            pair.server.startReading()
            try await pair.until { pair.serverSide.received.count == size }
            // Not within #expect: it would compute the difference of megabytes.
            let isSame = pair.serverSide.received == bytes
            #expect(isSame)
            try await pair.until { pair.client.queuedBytes == 0 }
            #expect(pair.clientSide.drains > 0)
            #expect(!pair.client.isCongested)
        }
    }

    @Test func pausedReaderGetsNothingUntilItGoesOn() async throws {
        try await withPair { pair in
            pair.server.stopReading()
            Array("x".utf8).withUnsafeBytes { pair.client.write($0) }
            try await pair.loop.sleep(milliseconds: 30)
            #expect(pair.serverSide.received.isEmpty)
            #expect(pair.server.hasUnreadInput)
            pair.server.startReading()
            try await pair.until { pair.serverSide.received.count == 1 }
            #expect(!pair.server.hasUnreadInput)
        }
    }

    @Test func halfCloseLeavesTheOtherWayOpen() async throws {
        try await withPair { pair in
            Array("last".utf8).withUnsafeBytes { pair.client.write($0) }
            pair.client.shutdownWriting()
            try await pair.until { pair.serverSide.ends == 1 }
            #expect(pair.serverSide.received == Array("last".utf8))
            Array("answer".utf8).withUnsafeBytes { pair.server.write($0) }
            try await pair.until { pair.clientSide.received == Array("answer".utf8) }
            #expect(pair.serverSide.closes == 0)
        }
    }

    @Test func closeIsToldOnceAndOnlyAfterTheCall() async throws {
        try await withPair { pair in
            pair.client.close()
            pair.client.close()
            #expect(pair.clientSide.closes == 0)
            try await pair.until { pair.clientSide.closes == 1 && pair.serverSide.ends == 1 }
            #expect(pair.clientSide.error == nil)
            // A closed connection takes what is asked of it without harm.
            Array("x".utf8).withUnsafeBytes { pair.client.write($0) }
            pair.client.startReading()
            pair.client.shutdownWriting()
            try await pair.loop.sleep(milliseconds: 5)
            #expect(pair.clientSide.closes == 1)
        }
    }

    @Test func closeWhenDrainedLosesNothing() async throws {
        try await withPair { pair in
            let size = 8 << 20
            pair.server.stopReading()
            [UInt8](repeating: 1, count: size).withUnsafeBytes { pair.client.write($0) }
            #expect(pair.client.queuedBytes > 0)
            pair.client.closeWhenDrained()
            #expect(!pair.client.isClosed)
            pair.server.startReading()
            try await pair.until { pair.serverSide.ends == 1 }
            #expect(pair.serverSide.received.count == size)
            #expect(pair.client.isClosed)
        }
    }

    @Test func writingToAPeerThatIsGoneIsAnErrorNotASignal() async throws {
        try await withPair { pair in
            pair.client.close()
            try await pair.until { pair.serverSide.ends == 1 }
            for _ in 0..<20 where !pair.server.isClosed {
                [UInt8](repeating: 1, count: 1000).withUnsafeBytes { pair.server.write($0) }
                try await pair.loop.sleep(milliseconds: 2)
            }
            try await pair.until { pair.serverSide.closes == 1 }
            #expect(["EPIPE", "ECONNRESET"].contains(pair.serverSide.error?.code))
        }
    }

    @Test func connectingWhereNobodyListensIsRefused() async throws {
        let loop = group.loops[0]
        try await loop.run {
            let free = try TCPListener(loop: loop, address: try #require(SocketAddress("127.0.0.1", port: 0))) { _ in }
            let address = free.address
            free.close()
            try await loop.sleep(milliseconds: 5)
            await #expect {
                _ = try await TCPConnection.connect(to: address, on: loop, timeoutMilliseconds: 20_000)
            } throws: { error in
                (error as? TCPError)?.code == "ECONNREFUSED" && "\(error)".contains("127.0.0.1:\(address.port)")
            }
        }
    }

    /// A listener that never accepts, its backlog full: the kernel leaves further connects unanswered.
    private func withFullBacklog(_ body: @escaping @Sendable (EventLoop, SocketAddress) async throws -> Void)
        async throws
    {
        let loop = group.loops[1]
        try await loop.run {
            let listener = try TCPListener(
                loop: loop, address: try #require(SocketAddress("127.0.0.1", port: 0)), backlog: 0
            ) { $0.close() }
            listener.pause()
            var fillers: [TCPConnection] = []
            for _ in 0..<8 {
                if let filler = try? await TCPConnection.connect(
                    to: listener.address, on: loop, timeoutMilliseconds: 100)
                {
                    fillers.append(filler)
                }
            }
            try await body(loop, listener.address)
            for filler in fillers { filler.close() }
            listener.close()
        }
    }

    @Test func connectTimesOut() async throws {
        try await withFullBacklog { loop, address in
            await #expect {
                _ = try await TCPConnection.connect(to: address, on: loop, timeoutMilliseconds: 50)
            } throws: { error in
                (error as? TCPError)?.code == "ETIMEDOUT"
            }
        }
    }

    @Test func connectIsCancelledWithItsTask() async throws {
        try await withFullBacklog { loop, address in
            let task = loop.spawn {
                await #expect(throws: CancellationError.self) {
                    _ = try await TCPConnection.connect(to: address, on: loop, timeoutMilliseconds: 60_000)
                }
            }
            try await loop.sleep(milliseconds: 10)
            task.cancel()
            await task.value
        }
    }

    @Test func pausedListenerLeavesConnectionsToTheKernel() async throws {
        let loop = group.loops[0]
        try await loop.run {
            let accepted = Atomic<Int>(0)
            let listener = try TCPListener(loop: loop, address: try #require(SocketAddress("127.0.0.1", port: 0))) {
                accepted.wrappingAdd(1, ordering: .relaxed)
                $0.close()
            }
            listener.pause()
            var clients: [TCPConnection] = []
            for _ in 0..<3 {
                clients.append(
                    try await TCPConnection.connect(to: listener.address, on: loop, timeoutMilliseconds: 20_000))
            }
            try await loop.sleep(milliseconds: 20)
            #expect(accepted.load(ordering: .relaxed) == 0)
            listener.resume()
            for _ in 0..<1_000 where accepted.load(ordering: .relaxed) < 3 { try await loop.sleep(milliseconds: 1) }
            #expect(accepted.load(ordering: .relaxed) == 3)
            for client in clients { client.close() }
            listener.close()
        }
    }

    @Test func loopsShareAPortButOthersAreTold() async throws {
        let address = try #require(SocketAddress("127.0.0.1", port: 0))
        let first = try await group.loops[0].run {
            try TCPListener(loop: group.loops[0], address: address) { $0.close() }
        }
        let bound = try await group.loops[0].run { first.address }
        let second = try await group.loops[1].run {
            try TCPListener(loop: group.loops[1], address: bound) { $0.close() }
        }
        #expect {
            try TCPListener.refuseIfInUse(bound)
        } throws: { error in
            (error as? TCPError)?.code == "EADDRINUSE"
        }
        try await group.loops[0].run { first.close() }
        try await group.loops[1].run { second.close() }
    }

    @Test func addressesAreParsedAndPrinted() throws {
        let v4 = try #require(SocketAddress("10.1.2.3", port: 80))
        #expect("\(v4)" == "10.1.2.3:80")
        #expect(v4.words == (0, 0xFFFF_0A01_0203))
        let v6 = try #require(SocketAddress("2001:db8::1", port: 65_535))
        #expect("\(v6)" == "[2001:db8::1]:65535")
        #expect(v6.isIPv6)
        #expect(v6.words == (0x2001_0db8_0000_0000, 1))
        #expect(SocketAddress("localhost", port: 80) == nil)
        #expect(SocketAddress("1.2.3.4", port: 65_536) == nil)
        #expect(SocketAddress("1.2.3.4.5", port: 1) == nil)
    }

    @Test func namesAreResolved() async throws {
        let loop = group.loops[0]
        try await loop.run {
            let resolver = NameResolver(loop: loop)
            let local = try await resolver.resolve("localhost", port: 8080)
            #expect(local.map(\.description) == ["127.0.0.1:8080"])
            let literal = try await resolver.resolve("::1", port: 1)
            #expect(literal.map(\.description) == ["[::1]:1"])
            await #expect {
                _ = try await resolver.resolve("no-such-host.invalid", port: 1)
            } throws: { error in
                "\(error)".contains("no-such-host.invalid")
            }
        }
    }

    @Test func ipv6WorksWhereTheSystemHasIt() async throws {
        let loop = group.loops[0]
        try await loop.run {
            let address = try #require(SocketAddress("::1", port: 0))
            guard let listener = try? TCPListener(loop: loop, address: address, accepted: { $0.close() }) else {
                return
            }
            let client = try await TCPConnection.connect(
                to: listener.address, on: loop, timeoutMilliseconds: 20_000)
            #expect(client.peer?.ip == "::1")
            client.close()
            listener.close()
        }
    }
}
