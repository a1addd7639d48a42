package import EventLoop

extension TCPConnection {
    /// Encrypts a connection that has just been made and has no delegate yet: after this call its delegate says and hears
    /// plain text. Reading is off at the end. Loop thread only.
    /// - Parameters:
    ///   - host: whose certificate the peer must show.
    ///   - timeoutMilliseconds: for the handshake.
    /// - Throws: `TLSError`, `TCPError` or `CancellationError`; the connection is closed then.
    package func startTLS(_ context: TLSContext, host: String, timeoutMilliseconds: UInt64) async throws {
        let handshake: TLSHandshake
        do {
            handshake = TLSHandshake(try TLSSession(context, host: host), self)
        } catch {
            close()
            throw error
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { handshake.start(timeoutMilliseconds, $0) }
        } onCancel: {
            loop.perform { handshake.finish(CancellationError()) }
        }
        install(TLSFilter(handshake.session))
    }
}

/// The first bytes of a connection, until it is encrypted.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
private final class TLSHandshake: TCPConnectionDelegate, @unchecked Sendable {
    let session: TLSSession
    private let tcp: TCPConnection
    private var continuation: CheckedContinuation<Void, any Error>?
    private var timer: LoopTimer?
    private var isOver = false

    init(_ session: TLSSession, _ tcp: TCPConnection) {
        self.session = session
        self.tcp = tcp
    }

    func start(_ milliseconds: UInt64, _ continuation: CheckedContinuation<Void, any Error>) {
        self.continuation = continuation
        if isOver { return finish(CancellationError()) }
        tcp.delegate = self
        timer = tcp.loop.schedule(afterMilliseconds: milliseconds) { [self] in
            finish(TLSError(.timedOut, "the TLS handshake took too long"))
        }
        tcp.startReading()
        step()
    }

    private func step() {
        do {
            let isComplete = try session.handshake()
            session.takeOutput { tcp.writeUnfiltered($0) }
            if isComplete { finish(nil) }
        } catch {
            // The alert that tells the peer.
            session.takeOutput { tcp.writeUnfiltered($0) }
            finish(error)
        }
    }

    func finish(_ error: (any Error)?) {
        isOver = true
        guard let continuation else { return }
        self.continuation = nil
        timer?.cancel()
        timer = nil
        tcp.delegate = nil
        if let error {
            tcp.closeWhenDrained()
            continuation.resume(throwing: error)
        } else {
            tcp.stopReading()
            continuation.resume()
        }
    }

    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer) {
        session.feed(bytes)
        step()
    }

    func connectionReachedEnd(_ connection: TCPConnection) {
        finish(TLSError(.handshakeFailed, "the peer closed the connection during the TLS handshake"))
    }

    func connectionDrained(_ connection: TCPConnection) {}

    func connectionClosed(_ connection: TCPConnection, error: TCPError?) { finish(error ?? TCPError.closed) }
}

/// Encrypts what is written and decrypts what comes.
private final class TLSFilter: TCPFilter {
    private let session: TLSSession
    private var hasFailed = false

    init(_ session: TLSSession) { self.session = session }

    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer) {
        session.feed(bytes)
        do {
            try session.read { if !connection.isClosed { connection.deliver($0) } }
            // Answers of the protocol itself: new keys.
            session.takeOutput { connection.writeUnfiltered($0) }
            if session.hasEnded, !connection.isClosed { connection.deliverEnd() }
        } catch {
            fail(connection, error)
        }
    }

    func connectionReachedEnd(_ connection: TCPConnection) {
        if session.hasEnded { return }
        fail(connection, TLSError(.truncated, "the peer went away without ending TLS: something may be missing"))
    }

    func connection(_ connection: TCPConnection, writes bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        do {
            while !rest.isEmpty, !connection.isClosed {
                try session.write(UnsafeRawBufferPointer(rebasing: rest.prefix(TLSSession.recordBytes)))
                rest = rest.dropFirst(TLSSession.recordBytes)
                session.takeOutput { connection.writeUnfiltered($0) }
            }
        } catch {
            fail(connection, error)
        }
    }

    func connectionWillClose(_ connection: TCPConnection) {
        guard !hasFailed else { return }
        session.end()
        session.takeOutput { connection.writeUnfiltered($0) }
    }

    private func fail(_ connection: TCPConnection, _ error: TLSError) {
        hasFailed = true
        session.takeOutput { connection.writeUnfiltered($0) }
        connection.fail(TCPError(code: error.reason.rawValue, description: error.description))
    }
}
