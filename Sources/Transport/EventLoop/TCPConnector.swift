internal import CLibUV

/// One attempt to connect, with its time-out. Confined to its loop.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
final class TCPConnector: @unchecked Sendable {
    private let connection: TCPConnection
    private let address: SocketAddress
    private var continuation: CheckedContinuation<TCPConnection, any Error>?
    private var timer: LoopTimer?
    private var isCancelled = false

    init(_ connection: TCPConnection, _ address: SocketAddress) {
        self.connection = connection
        self.address = address
    }

    func start(_ milliseconds: UInt64, _ continuation: CheckedContinuation<TCPConnection, any Error>) {
        if isCancelled { return continuation.resume(throwing: CancellationError()) }
        self.continuation = continuation
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        request.initialize(to: uv_connect_t())
        // Released by `onConnect`, which libuv calls once unless starting fails.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let status = connection.startConnecting(to: address, request)
        guard status == 0 else {
            Unmanaged.passUnretained(self).release()
            request.deallocate()
            return finish(.failure(TCPError(status, "connect to \(address)")))
        }
        timer = connection.loop.schedule(afterMilliseconds: milliseconds) { [self] in
            finish(.failure(TCPError.connectTimedOut(address)))
        }
    }

    func cancel() {
        isCancelled = true
        finish(.failure(CancellationError()))
    }

    func connected(_ status: Int32) {
        if status == 0 {
            finish(.success(connection))
        } else {
            finish(.failure(TCPError(status, "connect to \(address)")))
        }
    }

    private func finish(_ result: Result<TCPConnection, any Error>) {
        guard let continuation else { return }
        self.continuation = nil
        timer?.cancel()
        timer = nil
        if case .success = result { connection.setOptions() } else { connection.close() }
        continuation.resume(with: result)
    }
}

extension TCPConnection {
    /// Connects to an address. On the loop's thread only; the caller sets the delegate and starts reading.
    /// - Throws: `TCPError`; `CancellationError` when the task is cancelled meanwhile.
    package static func connect(
        to address: SocketAddress, on loop: EventLoop, timeoutMilliseconds: UInt64
    ) async throws -> TCPConnection {
        loop.preconditionInLoop()
        try Task.checkCancellation()
        guard let connection = TCPConnection(loop: loop) else { throw TCPError(UV_ENOMEM.rawValue, "open a socket") }
        let connector = TCPConnector(connection, address)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { connector.start(timeoutMilliseconds, $0) }
        } onCancel: {
            loop.perform { connector.cancel() }
        }
    }
}

func onConnect(_ request: UnsafeMutablePointer<uv_connect_t>?, _ status: Int32) {
    guard let request, let data = request.pointee.data else { return }
    request.deallocate()
    Unmanaged<TCPConnector>.fromOpaque(data).takeRetainedValue().connected(status)
}
