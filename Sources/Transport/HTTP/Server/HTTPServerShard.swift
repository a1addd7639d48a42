internal import EventLoop
internal import Glibc
internal import HTTPCodec

/// What a server has on one loop: the listener, the connections, the clock that cuts slow ones.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class HTTPServerShard: @unchecked Sendable {
    let loop: EventLoop
    let configuration: HTTPServer.Configuration
    let limits: HTTPLimits
    let responder: Responder
    let gate: HTTPConnectionGate
    private(set) var isDraining = false

    /// What answers requests.
    enum Responder: Sendable {
        case handler(HTTPHandler)
        case dispatcher(HTTPDispatcher)
    }

    private var listener: TCPListener?
    private var connections: [HTTPServerConnection] = []
    private var refusals = 0
    private var sweeper: LoopTimer?
    private var drained: CheckedContinuation<Void, Never>?
    private var cachedDate: [UInt8] = []
    private var dateExpiresAtMilliseconds: UInt64 = 0
    private var spareOutput: [UInt8] = []

    /// How often deadlines are looked at: one timer for all connections.
    private static let sweepMilliseconds: UInt64 = 250
    /// How long a `Date` is used; RFC 9110, section 6.6.1, asks for one second of resolution.
    private static let dateMilliseconds: UInt64 = 500
    /// Connections over the limit that are being told so; more of them are closed without a word.
    private static let maxRefusals = 256
    /// Output buffers above this are not kept.
    private static let keptOutputBytes = 64 * 1024

    init(
        loop: EventLoop, configuration: HTTPServer.Configuration, gate: HTTPConnectionGate,
        responder: Responder
    ) {
        self.loop = loop
        self.configuration = configuration
        self.gate = gate
        self.responder = responder
        var limits = HTTPLimits()
        limits.maxHeadBytes = configuration.maxHeadBytes
        limits.maxTargetBytes = configuration.maxTargetBytes
        limits.maxFieldCount = configuration.maxFieldCount
        limits.maxBodyBytes = configuration.maxBodyBytes
        self.limits = limits
    }

    // MARK: Connections

    /// - Returns: the port.
    func listen(_ address: SocketAddress) throws -> Int {
        isDraining = false
        let listener = try TCPListener(loop: loop, address: address) { [self] in accepted($0) }
        self.listener = listener
        return listener.address.port
    }

    private func accepted(_ tcp: TCPConnection) {
        guard let peer = tcp.peer else { return tcp.close() }
        let client = HTTPConnectionGate.Client(peer)
        let isAdmitted = gate.enter(client)
        if !isAdmitted, refusals >= Self.maxRefusals { return tcp.close() }
        let connection = HTTPServerConnection(
            tcp: tcp, shard: self, client: isAdmitted ? client : nil, peerAddress: peer.ip, slot: connections.count)
        connections.append(connection)
        if sweeper == nil {
            sweeper = loop.schedule(afterMilliseconds: Self.sweepMilliseconds, repeating: Self.sweepMilliseconds) {
                [self] in sweep()
            }
        }
        if isAdmitted {
            connection.start()
        } else {
            refusals += 1
            connection.refuse(.overloaded)
        }
    }

    func closed(_ connection: HTTPServerConnection) {
        if let client = connection.client { gate.leave(client) } else { refusals -= 1 }
        let last = connections.removeLast()
        if last !== connection {
            last.slot = connection.slot
            connections[connection.slot] = last
        }
        if connections.isEmpty {
            sweeper?.cancel()
            sweeper = nil
            drained?.resume()
            drained = nil
        }
    }

    private func sweep() {
        let now = loop.nowMilliseconds
        // Closing takes effect later in the turn: nothing leaves the array meanwhile.
        for connection in connections { connection.checkDeadlines(now) }
    }

    // MARK: Draining

    func drain(timeoutSeconds: Int) async {
        isDraining = true
        listener?.close()
        listener = nil
        for connection in connections { connection.drain() }
        guard !connections.isEmpty else { return }
        let deadline = loop.schedule(afterMilliseconds: UInt64(max(0, timeoutSeconds)) * 1000) { [self] in
            for connection in connections { connection.cut() }
        }
        // A second drain must not lose the first one's continuation.
        let earlier = drained
        await withCheckedContinuation { drained = $0 }
        earlier?.resume()
        deadline.cancel()
    }

    // MARK: What connections share

    /// The `Date` field.
    var date: [UInt8] {
        let now = loop.nowMilliseconds
        if now >= dateExpiresAtMilliseconds {
            cachedDate = HTTPDate.format(secondsSince1970: Int64(Glibc.time(nil)))
            dateExpiresAtMilliseconds = now + Self.dateMilliseconds
        }
        return cachedDate
    }

    /// An empty buffer to write a response into; give it back.
    func borrowOutput() -> [UInt8] {
        var output: [UInt8] = []
        swap(&output, &spareOutput)
        return output
    }

    func giveBack(_ output: consuming [UInt8]) {
        guard output.capacity <= Self.keptOutputBytes else { return }
        output.removeAll(keepingCapacity: true)
        spareOutput = output
    }
}
