internal import EventLoop
internal import Glibc
internal import HTTPCodec

/// The server's part on one event loop: its listener, its connections, their time-outs, and what they share.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class ServerLoop: @unchecked Sendable {
    let loop: EventLoop
    let configuration: HTTPServer.Configuration
    let limits: HTTPLimits
    let handler: HTTPHandler
    /// Where a response is put together before it leaves in one write.
    var output: [UInt8] = []
    private(set) var isDraining = false

    private let census: ConnectionCensus
    private var listener: TCPListener?
    private var connections: [ServerConnection] = []
    private var sweeper: LoopTimer?
    private var date: (second: Int, text: [UInt8]) = (0, [])

    private static let sweepMilliseconds: UInt64 = 250

    init(
        loop: EventLoop, configuration: HTTPServer.Configuration, census: ConnectionCensus,
        handler: @escaping HTTPHandler
    ) {
        self.loop = loop
        self.configuration = configuration
        self.census = census
        self.handler = handler
        limits = configuration.limits
    }

    /// Fails when somebody else listens on the port.
    func probe(port: Int) throws {
        let probe = try TCPListener(loop: loop, host: configuration.host, port: port, isShared: false) { $0.close() }
        probe.close()
    }

    func listen(port: Int) throws -> Int {
        let listener = try TCPListener(loop: loop, host: configuration.host, port: port, isShared: true) {
            [weak self] in self?.accepted($0)
        }
        self.listener = listener
        sweeper = loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
            [weak self] in self?.sweep()
        }
        return listener.port
    }

    private func accepted(_ tcp: TCPConnection) {
        let address = tcp.peerAddress
        guard !isDraining, census.enter(address) else {
            refuse(tcp)
            return
        }
        let connection = ServerConnection(tcp: tcp, server: self, peerAddress: address)
        connection.slot = connections.count
        connections.append(connection)
        connection.start()
    }

    private func refuse(_ tcp: TCPConnection) {
        output.removeAll(keepingCapacity: true)
        var fields = HTTPFields()
        fields.add("retry-after", "1")
        HTTPSerializer.responseHead(
            status: .serviceUnavailable, fields: fields, framing: .length(0), keepsAlive: false, date: currentDate(),
            into: &output)
        output.withUnsafeBytes { tcp.write($0) }
        tcp.endWriting()
        // The peer has a moment to read it; then the connection goes.
        loop.schedule(afterMilliseconds: 500) { tcp.close() }
    }

    func removed(_ connection: ServerConnection) {
        census.leave(connection.peerAddress)
        let last = connections.removeLast()
        if last !== connection {
            last.slot = connection.slot
            connections[connection.slot] = last
        }
    }

    /// The `Date` field, made once a second.
    func currentDate() -> [UInt8] {
        let now = time(nil)
        if now != date.second { date = (now, HTTPDate.format(secondsSince1970: Int64(now))) }
        return date.text
    }

    private func sweep() {
        let now = loop.nowMilliseconds
        // From the back, because a connection that is cut leaves the list.
        var index = connections.count - 1
        while index >= 0 {
            if index < connections.count { connections[index].cutIfLate(now) }
            index -= 1
        }
    }

    func beginDrain() {
        isDraining = true
        listener?.close()
        listener = nil
        for connection in connections { connection.closeIfIdle() }
    }

    func cutAll() {
        sweeper?.cancel()
        sweeper = nil
        for connection in connections { connection.cut() }
    }
}
