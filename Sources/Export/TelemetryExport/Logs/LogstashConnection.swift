internal import Glibc
internal import TLS
internal import Telemetry

/// One connection to Logstash's TCP input, in plain text or by TLS. Used by the shipper's thread only, which waits for
/// the socket itself.
final class LogstashConnection {
    /// What became of bytes that were to be sent.
    enum Sending {
        case took(Int)
        /// The socket takes no more for now; the same bytes come again.
        case full
        case broken
    }

    /// Why there is no connection, in words.
    struct Failure: Error {
        let reason: String
    }

    private static let connectTimeoutMilliseconds: Int32 = 3_000
    private static let handshakeTimeoutMilliseconds = 5_000
    /// After this long without an answer the kernel gives a dead peer up.
    private static let userTimeoutMilliseconds: Int32 = 30_000

    let socket: Int32
    private let session: TLSSession?
    /// Encrypted, and not taken by the socket yet.
    private var encrypted: [UInt8] = []
    private var encryptedSent = 0
    /// Bytes of plain text that `encrypted` stands for.
    private var plainCount = 0

    /// Connects, and encrypts when it is told to.
    init(_ address: HostAndPort, tls: TLSContext?) throws(Failure) {
        guard let socket = Self.connect(address) else {
            throw Failure(reason: "check LOGSTASH_ADDRESS and its TCP input")
        }
        do {
            session = try tls.map { try TLSSession($0, host: address.host) }
        } catch {
            close(socket)
            throw Failure(reason: "\(error)")
        }
        self.socket = socket
        do { try shakeHands() } catch { throw Failure(reason: error.description) }
    }

    deinit {
        if let session, encryptedSent == encrypted.count {
            session.end()
            session.takeOutput { _ = Glibc.send(socket, $0.baseAddress, $0.count, Self.sendFlags) }
        }
        close(socket)
    }

    // MARK: Connecting

    private static func connect(_ address: HostAndPort) -> Int32? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var next = list
        while let candidate = next {
            if let socket = connect(candidate.pointee) { return socket }
            next = candidate.pointee.ai_next
        }
        return nil
    }

    /// A connected, non-blocking socket, or nil.
    private static func connect(_ candidate: addrinfo) -> Int32? {
        let type = candidate.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(candidate.ai_family, type, candidate.ai_protocol)
        guard socket >= 0 else { return nil }
        var isUp = Glibc.connect(socket, candidate.ai_addr, candidate.ai_addrlen) == 0
        if !isUp, errno == EINPROGRESS {
            var problem: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            isUp =
                wait(socket, POLLOUT, connectTimeoutMilliseconds)
                && getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0
        }
        guard isUp else {
            close(socket)
            return nil
        }
        var timeout = userTimeoutMilliseconds
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, size)
        setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, size)
        return socket
    }

    private static func wait(_ socket: Int32, _ events: Int32, _ milliseconds: Int32) -> Bool {
        var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
        return poll(&descriptor, 1, milliseconds) == 1
    }

    private func shakeHands() throws(TLSError) {
        guard let session else { return }
        let deadline = Deadline(milliseconds: Self.handshakeTimeoutMilliseconds)
        while true {
            let isComplete: Bool
            do { isComplete = try session.handshake() } catch {
                collect(session)
                _ = flush()
                throw error
            }
            collect(session)
            while true {
                let sent = flush()
                if case .broken = sent { throw Self.lost }
                guard case .full = sent else { break }
                try wait(POLLOUT, until: deadline)
            }
            if isComplete { return }
            try wait(POLLIN, until: deadline)
            guard receive(session) else { throw Self.lost }
        }
    }

    private static let lost = TLSError(.handshakeFailed, "the peer closed the connection during the TLS handshake")

    private func wait(_ events: Int32, until deadline: Deadline) throws(TLSError) {
        guard Self.wait(socket, events, Int32(deadline.millisecondsLeft)) else {
            throw TLSError(.timedOut, "the TLS handshake took too long")
        }
    }

    // MARK: Sending

    private static let sendFlags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)

    /// Sends as many bytes as the socket takes; what a record of TLS holds counts when all of it was taken.
    func send(_ bytes: UnsafeRawBufferPointer) -> Sending {
        guard let session else { return sendPlain(bytes) }
        if encryptedSent == encrypted.count {
            encrypted.removeAll(keepingCapacity: true)
            encryptedSent = 0
            plainCount = min(bytes.count, TLSSession.recordBytes)
            do { try session.write(UnsafeRawBufferPointer(rebasing: bytes[..<plainCount])) } catch { return .broken }
            collect(session)
        }
        return flush()
    }

    private func collect(_ session: TLSSession) { session.takeOutput { encrypted += $0 } }

    private func flush() -> Sending {
        while encryptedSent < encrypted.count {
            let sent = encrypted[encryptedSent...].withUnsafeBytes { sendPlain($0) }
            guard case .took(let count) = sent else { return sent }
            encryptedSent += count
        }
        return .took(plainCount)
    }

    private func sendPlain(_ bytes: UnsafeRawBufferPointer) -> Sending {
        while true {
            let count = Glibc.send(socket, bytes.baseAddress, bytes.count, Self.sendFlags)
            if count >= 0 { return .took(count) }
            if errno == EAGAIN { return .full }
            if errno != EINTR { return .broken }
        }
    }

    // MARK: Receiving

    /// Logstash sends nothing: readable means closed, unless there really are bytes, which are thrown away, or a word of
    /// TLS itself.
    func isClosed() -> Bool {
        guard let session else {
            var scratch = (UInt64(0), UInt64(0))
            let count = recv(socket, &scratch, 16, Int32(MSG_DONTWAIT))
            return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
        }
        guard receive(session) else { return true }
        do { try session.read { _ in } } catch { return true }
        return session.hasEnded
    }

    /// - Returns: false when the peer is gone.
    private func receive(_ session: TLSSession) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: TLSSession.recordBytes, alignment: 8) { buffer in
            let count = recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { session.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
        }
    }
}
