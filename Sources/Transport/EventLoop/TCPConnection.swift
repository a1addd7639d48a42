internal import CLibUV
internal import Glibc

/// Hears what happens on a `TCPConnection`. Called on the loop's thread.
package protocol TCPConnectionDelegate: AnyObject {
    /// Bytes arrived; they are valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer)
    /// The peer sends no more; it may still read.
    func receivedEnd()
    /// Everything that was queued has left for the kernel.
    func drained()
    /// The connection is gone, for any reason. Called once, last.
    func closed()
}

/// One TCP connection of one event loop: reads are pushed to the delegate, writes go out at once when the socket
/// takes them and are queued otherwise. The owner bounds the queue by watching `queuedBytes`.
package final class TCPConnection {
    package let loop: EventLoop
    package weak var delegate: (any TCPConnectionDelegate)?
    private var handle: UnsafeMutablePointer<uv_tcp_t>?
    private var isReading = false
    private var isEnding = false
    /// Bytes that wait for the peer to read.
    package private(set) var queuedBytes = 0

    fileprivate init(loop: EventLoop) {
        loop.preconditionInLoop()
        self.loop = loop
        let handle = UnsafeMutablePointer<uv_tcp_t>.allocate(capacity: 1)
        uv_tcp_init(loop.uv, handle)
        // Released when libuv has closed the handle.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        self.handle = handle
    }

    package var isOpen: Bool { handle != nil }

    /// The peer's IP address, without its port; empty when it is already gone.
    package var peerAddress: String {
        guard let handle else { return "" }
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard uv_tcp_getpeername(handle, address, &length) == 0 else { return "" }
                var text = [CChar](repeating: 0, count: 64)
                guard uv_ip_name(address, &text, text.count) == 0 else { return "" }
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }
    }

    // MARK: Reading

    package func startReading() {
        guard let handle, !isReading else { return }
        isReading = true
        uv_read_start(stream(handle), onAllocate, onRead)
    }

    /// Leaves what arrives in the kernel, whose window then slows the peer down.
    package func pauseReading() {
        guard let handle, isReading else { return }
        isReading = false
        uv_read_stop(stream(handle))
    }

    fileprivate func received(count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        if count > 0, let base {
            delegate?.received(UnsafeRawBufferPointer(start: base, count: count))
        } else if count == Int(UV_EOF.rawValue) {
            pauseReading()
            delegate?.receivedEnd()
        } else if count < 0 {
            close()
        }
    }

    // MARK: Writing

    /// Sends bytes: what the socket does not take now is copied and queued.
    package func write(_ bytes: UnsafeRawBufferPointer) {
        guard let handle, !isEnding, let base = bytes.baseAddress, !bytes.isEmpty else { return }
        var sent = 0
        if queuedBytes == 0 {
            // libuv only reads from the buffer.
            var buffer = uv_buf_init(
                UnsafeMutableRawPointer(mutating: base).assumingMemoryBound(to: CChar.self), UInt32(bytes.count))
            let result = uv_try_write(stream(handle), &buffer, 1)
            if result >= 0 {
                sent = Int(result)
            } else if result != UV_EAGAIN.rawValue {
                close()
                return
            }
            if sent == bytes.count { return }
        }
        let rest = bytes.count - sent
        let request = WriteRequest(connection: self, copying: UnsafeRawBufferPointer(start: base + sent, count: rest))
        queuedBytes += rest
        request.start(stream(handle))
    }

    fileprivate func wrote(count: Int, status: Int32) {
        queuedBytes -= count
        if status < 0 {
            close()
        } else if queuedBytes == 0 {
            delegate?.drained()
        }
    }

    /// Sends what is queued, then tells the peer that nothing more comes.
    package func endWriting() {
        guard let handle, !isEnding else { return }
        isEnding = true
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        if uv_shutdown(request, stream(handle), onShutdown) != 0 {
            request.deallocate()
            close()
        }
    }

    /// Closes at once; queued bytes are lost.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        isReading = false
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            if uv_is_closing($0) == 0 { uv_close($0, onClosed) }
        }
    }

    fileprivate func didClose() {
        let delegate = delegate
        self.delegate = nil
        delegate?.closed()
    }

    // MARK: Making connections

    /// Takes a connection from a listener; nil when it is already gone.
    static func accept(from listener: UnsafeMutablePointer<uv_stream_t>, loop: EventLoop) -> TCPConnection? {
        let connection = TCPConnection(loop: loop)
        guard let handle = connection.handle, uv_accept(listener, connection.stream(handle)) == 0 else {
            connection.close()
            return nil
        }
        uv_tcp_nodelay(handle, 1)
        return connection
    }

    /// Connects to an IP address.
    /// - Parameter timeoutMilliseconds: after which the attempt is given up.
    /// - Throws: `TCPError`.
    package static func connect(
        address: String, port: Int, loop: EventLoop, timeoutMilliseconds: Int
    ) async throws -> TCPConnection {
        loop.preconditionInLoop()
        let connection = TCPConnection(loop: loop)
        do {
            // Safety: the connection stays on its loop; the continuation only brings the task back to it.
            nonisolated(unsafe) let unsafeConnection = connection
            try await withCheckedThrowingContinuation { continuation in
                unsafeConnection.startConnecting(address, port, timeoutMilliseconds, continuation)
            }
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    private func startConnecting(
        _ address: String, _ port: Int, _ timeoutMilliseconds: Int, _ continuation: CheckedContinuation<Void, any Error>
    ) {
        guard let handle else { return continuation.resume(throwing: TCPError("the connection is closed")) }
        var storage = sockaddr_storage()
        let request = ConnectRequest(continuation)
        let result = withUnsafeMutablePointer(to: &storage) { pointer -> Int32 in
            let parsed = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                uv_ip4_addr(address, Int32(port), $0)
            }
            if parsed != 0 {
                let parsed6 = pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    uv_ip6_addr(address, Int32(port), $0)
                }
                if parsed6 != 0 { return parsed6 }
            }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { request.start(handle, $0) }
        }
        guard result == 0 else { return request.finish(TCPError(code: result)) }
        uv_tcp_nodelay(handle, 1)
        request.timer = loop.schedule(afterMilliseconds: UInt64(timeoutMilliseconds)) { [weak self] in
            request.finish(TCPError("no connection after \(timeoutMilliseconds) ms"))
            self?.close()
        }
    }

    fileprivate func stream(_ handle: UnsafeMutablePointer<uv_tcp_t>) -> UnsafeMutablePointer<uv_stream_t> {
        UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_stream_t.self)
    }
}

/// A socket operation failed; the text is libuv's.
package struct TCPError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
    init(code: Int32) { description = String(cString: uv_strerror(code)) }
}

// MARK: - Requests of libuv

/// A queued write with the copy of its bytes.
private final class WriteRequest {
    private let connection: TCPConnection
    private let bytes: UnsafeMutableRawBufferPointer
    private let request: UnsafeMutablePointer<uv_write_t> = .allocate(capacity: 1)

    init(connection: TCPConnection, copying source: UnsafeRawBufferPointer) {
        self.connection = connection
        bytes = .allocate(byteCount: source.count, alignment: 1)
        bytes.copyMemory(from: source)
    }

    deinit {
        bytes.deallocate()
        request.deallocate()
    }

    func start(_ stream: UnsafeMutablePointer<uv_stream_t>) {
        // Released by the callback, which libuv calls exactly once when it accepted the request.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        var buffer = uv_buf_init(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(bytes.count))
        let result = uv_write(request, stream, &buffer, 1, onWritten)
        if result != 0 {
            Unmanaged.passUnretained(self).release()
            finish(result)
        }
    }

    func finish(_ status: Int32) { connection.wrote(count: bytes.count, status: status) }
}

private final class ConnectRequest {
    private var continuation: CheckedContinuation<Void, any Error>?
    private let request: UnsafeMutablePointer<uv_connect_t> = .allocate(capacity: 1)
    var timer: LoopTimer?

    init(_ continuation: CheckedContinuation<Void, any Error>) { self.continuation = continuation }
    deinit { request.deallocate() }

    func start(_ handle: UnsafeMutablePointer<uv_tcp_t>, _ address: UnsafePointer<sockaddr>) -> Int32 {
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let result = uv_tcp_connect(request, handle, address, onConnected)
        if result != 0 { Unmanaged.passUnretained(self).release() }
        return result
    }

    func finish(_ error: TCPError?) {
        timer?.cancel()
        timer = nil
        guard let continuation else { return }
        self.continuation = nil
        if let error { continuation.resume(throwing: error) } else { continuation.resume() }
    }
}

// MARK: - Callbacks of libuv

private func connection(_ data: UnsafeMutableRawPointer?) -> TCPConnection? {
    data.map { Unmanaged<TCPConnection>.fromOpaque($0).takeUnretainedValue() }
}

private func onAllocate(
    _ handle: UnsafeMutablePointer<uv_handle_t>?, _ suggested: Int, _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
    guard let loop = connection(handle?.pointee.data)?.loop else { return }
    buffer?.pointee = uv_buf_init(
        loop.readBuffer.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(loop.readBuffer.count))
}

private func onRead(
    _ stream: UnsafeMutablePointer<uv_stream_t>?, _ count: Int, _ buffer: UnsafePointer<uv_buf_t>?
) {
    guard count != 0 else { return }
    connection(stream?.pointee.data)?.received(count: count, buffer?.pointee.base)
}

private func onWritten(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: Int32) {
    guard let data = request?.pointee.data else { return }
    Unmanaged<WriteRequest>.fromOpaque(data).takeRetainedValue().finish(status)
}

private func onConnected(_ request: UnsafeMutablePointer<uv_connect_t>?, _ status: Int32) {
    guard let data = request?.pointee.data else { return }
    Unmanaged<ConnectRequest>.fromOpaque(data).takeRetainedValue().finish(status == 0 ? nil : TCPError(code: status))
}

private func onShutdown(_ request: UnsafeMutablePointer<uv_shutdown_t>?, _ status: Int32) { request?.deallocate() }

private func onClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle, let data = handle.pointee.data else { return }
    let connection = Unmanaged<TCPConnection>.fromOpaque(data).takeRetainedValue()
    handle.deallocate()
    connection.didClose()
}
