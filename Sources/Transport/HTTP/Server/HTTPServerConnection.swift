internal import EventLoop
internal import HTTPCodec

/// One client's connection: requests are read, handled and answered one after the other.
///
/// What is here is the life of the connection; `+Reading` turns bytes into requests, `+Working` has them handled,
/// `+Responding` turns responses into bytes, `+Deadlines` cuts what is too slow.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class HTTPServerConnection: TCPConnectionDelegate, HTTPBodySource, @unchecked Sendable {
    enum Phase {
        /// Between requests; a head may have begun.
        case reading
        /// A handler works, or its response is being written.
        case responding
        /// The response is complete, the rest of the request's body is not: it is read and dropped.
        case discarding
        /// The last response is written: the peer gets time to read it before the connection closes.
        case lingering
        case closed
    }

    /// The task that handles the requests of the connection.
    enum Worker {
        case none
        case busy
        /// Waits for the next request.
        case idle(UnsafeContinuation<Void, Never>)
    }

    let tcp: TCPConnection
    let shard: HTTPServerShard
    /// Whose connection counts; nil for one over the limit.
    let client: HTTPConnectionGate.Client?
    let peerAddress: String
    /// The place in the shard's list.
    var slot: Int

    var phase = Phase.reading
    /// Received and not used yet: the begin of a head, or requests that wait for their turn.
    var input: [UInt8] = []
    /// How far the search for the end of the head has come.
    var scanned = 0
    /// Whether `process` is on the stack.
    var isProcessing = false
    /// Written in this turn and not handed to the socket yet.
    var output: [UInt8] = []
    var isFlushScheduled = false
    /// Whether the peer said that it will send no more.
    var hasEnded = false

    /// What a task is to do for the request.
    enum Job {
        case handle(HTTPRequest, HTTPHandler)
        case wait(HTTPWork)
        /// To write a response whose body is still being made.
        case send(HTTPResponse)
    }

    // The request that is handled:
    var job: Job?
    var promise: HTTPPromise?
    var method = HTTPMethod.get
    var minorVersion = 1
    var keepsAlive = true
    var hasResponded = false
    var incoming: HTTPIncomingBody?
    /// Whether the body was malformed or too slow: what follows on the connection has no meaning.
    var hasBrokenBody = false
    var worker = Worker.none
    /// To cancel what it does.
    var task: Task<Void, Never>?
    /// The task that writes a streamed response, while the socket is full.
    var writable: CheckedContinuation<Void, Never>?

    var deadline: UInt64 = .max
    /// Whether the deadline is that of idling: the first byte of a request replaces it.
    var deadlineIsIdle = false
    var bodyBytesInPeriod = 0
    var lastUnsentBytes = 0
    var writeDeadline: UInt64 = .max
    var lingeredBytes = 0

    /// Bytes of following requests that are taken in while one is handled.
    static let maxPipelinedBytes = 16 * 1024
    /// Bytes of a body that nobody read, that are read and dropped so that the connection can be used again.
    static let maxDiscardedBytes = 256 * 1024
    /// Bytes that are read and dropped so that the peer gets to see the last response: a close with bytes unread would
    /// reset the connection and take the response away (RFC 9112, section 9.6).
    static let maxLingeredBytes = 8 * 1024 * 1024
    static let lingerMilliseconds: UInt64 = 2_000
    /// Output above this goes to the socket before more is made.
    static let maxOutputBytes = 32 * 1024

    init(
        tcp: TCPConnection, shard: HTTPServerShard, client: HTTPConnectionGate.Client?, peerAddress: String, slot: Int
    ) {
        self.tcp = tcp
        self.shard = shard
        self.client = client
        self.peerAddress = peerAddress
        self.slot = slot
        tcp.delegate = self
    }

    func start() {
        setDeadline(seconds: shard.configuration.headTimeoutSeconds)
        tcp.startReading()
    }

    // MARK: What the socket says

    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer) {
        if input.isEmpty {
            let used = process(bytes)
            if used < bytes.count { input.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[used...])) }
        } else {
            input.append(contentsOf: bytes)
            processInput()
        }
        updateReading()
    }

    /// Goes on with what had to wait.
    func processInput() {
        guard !input.isEmpty else { return }
        // Taken out, because what runs meanwhile may look at the connection.
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        let used = bytes.withUnsafeBytes { process($0) }
        bytes.removeSubrange(..<used)
        input = bytes
    }

    func connectionReachedEnd(_ connection: TCPConnection) {
        hasEnded = true
        keepsAlive = false
        switch phase {
        case .responding:
            // Nobody may be waiting any more. A response that comes all the same is still sent: the peer may have
            // closed its half only.
            incoming?.channel?.fail(HTTPBodyCut.disconnected)
            cancelWork()
        case .reading, .discarding, .lingering: tcp.closeWhenDrained()
        case .closed: break
        }
    }

    func connectionDrained(_ connection: TCPConnection) {
        resumeWriter()
        if phase == .reading { processInput() }
        updateReading()
    }

    func connectionClosed(_ connection: TCPConnection, error: TCPError?) {
        phase = .closed
        deadline = .max
        input = []
        output = []
        incoming?.channel?.fail(HTTPBodyCut.disconnected)
        incoming = nil
        cancelWork()
        resumeWriter()
        releaseWorker()
        shard.closed(self)
    }

    /// Tells those who work for the request that nobody waits for its answer.
    private func cancelWork() {
        task?.cancel()
        promise?.cancel()
    }

    func resumeWriter() {
        guard let writable else { return }
        self.writable = nil
        writable.resume()
    }

    // MARK: What the body's reader says

    func bodyIsWanted() {
        sendContinueIfAwaited()
        updateReading()
    }

    func bodyIsAbandoned() {}

    // MARK: Reading or not

    /// Reads when there is a use for the bytes: otherwise the peer feels that we are behind.
    func updateReading() {
        guard !tcp.isClosed, !hasEnded else { return }
        let isWanted =
            switch phase {
            case .reading: !tcp.isCongested
            case .responding:
                if let incoming {
                    incoming.channel?.wantsMore ?? true
                } else {
                    // Reading goes on, to see the peer leave.
                    input.count < Self.maxPipelinedBytes
                }
            case .discarding, .lingering: true
            case .closed: false
            }
        if isWanted { tcp.startReading() } else { tcp.stopReading() }
    }

    // MARK: The end

    /// No more requests after the current one; at once when there is none.
    func drain() {
        keepsAlive = false
        if phase == .reading, input.isEmpty { tcp.closeWhenDrained() }
    }

    /// Ends it now, whatever it does.
    func cut() { tcp.close() }
}
