internal import CLibUV
internal import Glibc

/// Who a connection tells what happens to it. Every call comes on the loop's thread, never from within a call to the
/// connection itself.
package protocol TCPConnectionDelegate: AnyObject {
    /// Bytes came; they are valid during the call only.
    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer)
    /// The peer will send no more; it may still read.
    func connectionReachedEnd(_ connection: TCPConnection)
    /// What was queued has gone, or fell to the low-water mark.
    func connectionDrained(_ connection: TCPConnection)
    /// The last call: closed by us, or by `error`.
    func connectionClosed(_ connection: TCPConnection, error: TCPError?)
}

/// What stands between the socket of a connection and its delegate, as encryption does: it gets what comes and what is to
/// be sent, and passes on what it makes of that. Every call comes on the loop's thread.
package protocol TCPFilter: AnyObject {
    /// Bytes came; they are valid during the call only. What they say goes to `connection.deliver`.
    func connection(_ connection: TCPConnection, received bytes: UnsafeRawBufferPointer)
    /// The peer will send no more. What that means goes to `connection.deliverEnd` or `connection.fail`.
    func connectionReachedEnd(_ connection: TCPConnection)
    /// The delegate's side wants to send; what the socket shall have goes to `connection.writeUnfiltered`.
    func connection(_ connection: TCPConnection, writes bytes: UnsafeRawBufferPointer)
    /// The last chance to write something.
    func connectionWillClose(_ connection: TCPConnection)
}

/// A TCP connection confined to its loop. Writes go to the socket at once, and only what it does not take is queued.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
package final class TCPConnection: LoopHandle, @unchecked Sendable {
    package let loop: EventLoop
    /// Kept until `connectionClosed`.
    package var delegate: (any TCPConnectionDelegate)?

    private let handle: UnsafeMutablePointer<uv_tcp_t>
    // Private, so that the compiler knows every access and checks none while it runs.
    private var closed = false
    private var reading = false
    private var queued = 0
    private var closesWhenDrained = false
    private var failure: TCPError?
    private var filter: (any TCPFilter)?

    /// Queued bytes above which a producer should wait for `connectionDrained`.
    package static let highWaterBytes = 64 * 1024
    /// Queued bytes at which it may go on.
    package static let lowWaterBytes = 16 * 1024
    private static let keepAliveSeconds: UInt32 = 60

    /// Whether `close` was called or the connection failed: it neither reads nor writes any more.
    package var isClosed: Bool { closed }
    package var isReading: Bool { reading }
    /// Bytes that were written and that the socket did not take yet.
    package var queuedBytes: Int { queued }

    /// A socket that is neither connected nor accepted yet.
    init?(loop: EventLoop) {
        self.loop = loop
        handle = makeHandle(uv_tcp_t.self)
        super.init()
        guard uv_tcp_init(loop.uv, handle) == 0 else {
            UnsafeMutableRawPointer(handle).deallocate()
            return nil
        }
        // Released by `onClose`, which libuv calls exactly once.
        handle.pointee.data = Unmanaged.passRetained(self as LoopHandle).toOpaque()
    }

    /// Takes the next connection of a listener. Its options come from the listening socket.
    static func accepting(from listener: UnsafeMutablePointer<uv_tcp_t>, loop: EventLoop) -> TCPConnection? {
        guard let connection = TCPConnection(loop: loop) else { return nil }
        guard uv_accept(listener.asStream, connection.handle.asStream) == 0 else {
            connection.close()
            return nil
        }
        return connection
    }

    // MARK: Addresses and options

    /// The other end, or nil when the connection is gone.
    package var peer: SocketAddress? { address(uv_tcp_getpeername) }
    /// This end, or nil when the connection is gone.
    package var local: SocketAddress? { address(uv_tcp_getsockname) }

    private func address(
        _ get: (UnsafePointer<uv_tcp_t>?, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<Int32>?) -> Int32
    ) -> SocketAddress? {
        guard !isClosed else { return nil }
        var storage = sockaddr_storage()
        var size = Int32(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            get(handle, UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &size)
        }
        return status == 0 ? SocketAddress(storage) : nil
    }

    func setOptions() {
        uv_tcp_nodelay(handle, 1)
        uv_tcp_keepalive(handle, 1, Self.keepAliveSeconds)
    }

    // MARK: Reading

    /// Bytes go to the delegate from the next turn on.
    package func startReading() {
        guard !isReading, !isClosed else { return }
        reading = true
        let status = uv_read_start(handle.asStream, onAllocate, onRead)
        // `UV_EALREADY` cannot be: `isReading` says so. Anything else means that the socket is broken.
        if status != 0 { fail(status, "read") }
    }

    /// No bytes come until reading starts again: the peer feels the back-pressure.
    package func stopReading() {
        guard isReading, !isClosed else { return }
        reading = false
        uv_read_stop(handle.asStream)
    }

    fileprivate func received(_ count: Int) {
        if count > 0 {
            let bytes = UnsafeRawBufferPointer(start: loop.readBuffer.baseAddress, count: count)
            if let filter { return filter.connection(self, received: bytes) }
            delegate?.connection(self, received: bytes)
        } else if count == Int(UV_EOF.rawValue) {
            reading = false
            if let filter { return filter.connectionReachedEnd(self) }
            delegate?.connectionReachedEnd(self)
        } else if count < 0 {
            fail(Int32(truncatingIfNeeded: count), "read")
        }
    }

    /// Whether something, be it the end, waits to be read. One system call: for the moment before a connection that
    /// idled is used again.
    package var hasUnreadInput: Bool {
        guard !isClosed, let descriptor else { return true }
        var byte: UInt8 = 0
        while true {
            let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            if count >= 0 { return true }
            if errno != EINTR { return errno != EAGAIN }
        }
    }

    private var descriptor: Int32? {
        var descriptor: Int32 = -1
        return uv_fileno(handle.asHandle, &descriptor) == 0 ? descriptor : nil
    }

    // MARK: The filter

    /// From now on what comes and what is written goes through the filter.
    package func install(_ filter: any TCPFilter) { self.filter = filter }

    /// Gives the delegate what a filter made of bytes that came.
    package func deliver(_ bytes: UnsafeRawBufferPointer) { delegate?.connection(self, received: bytes) }

    /// Tells the delegate that the peer will send no more.
    package func deliverEnd() { delegate?.connectionReachedEnd(self) }

    // MARK: Writing

    /// Whether so much is queued that a producer should wait for `connectionDrained`.
    package var isCongested: Bool { queuedBytes > Self.highWaterBytes }

    /// The part of the queue that the kernel has not taken; it shrinks while the peer reads.
    package var unsentBytes: Int { Int(clamping: uv_stream_get_write_queue_size(handle.asStream)) }

    /// Writes one buffer after the other. A failure closes the connection and is told to the delegate.
    package func write(
        _ bytes: UnsafeRawBufferPointer, _ more: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        if let filter {
            if !bytes.isEmpty { filter.connection(self, writes: bytes) }
            if !more.isEmpty { filter.connection(self, writes: more) }
            return
        }
        writeUnfiltered(bytes, more)
    }

    /// The same for what has been through the filter.
    package func writeUnfiltered(
        _ bytes: UnsafeRawBufferPointer, _ more: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        guard !isClosed, bytes.count + more.count > 0 else { return }
        var sent = 0
        if queuedBytes == 0 {
            let status = tryWrite(bytes, more)
            if status >= 0 {
                sent = Int(status)
            } else if status != UV_EAGAIN.rawValue {
                return fail(status, "write")
            }
            if sent == bytes.count + more.count { return }
        }
        queue(bytes, more, after: sent)
    }

    private func tryWrite(_ bytes: UnsafeRawBufferPointer, _ more: UnsafeRawBufferPointer) -> Int32 {
        // Safety: libuv reads what it is given to write, though its type says otherwise.
        if more.isEmpty {
            var buffer = uv_buf_t(
                base: UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self)),
                len: bytes.count)
            return uv_try_write(handle.asStream, &buffer, 1)
        }
        var buffers = (
            uv_buf_t(
                base: UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self)),
                len: bytes.count),
            uv_buf_t(
                base: UnsafeMutablePointer(mutating: more.baseAddress?.assumingMemoryBound(to: CChar.self)),
                len: more.count)
        )
        return withUnsafeBytes(of: &buffers) { raw in
            uv_try_write(handle.asStream, raw.baseAddress?.assumingMemoryBound(to: uv_buf_t.self), 2)
        }
    }

    /// Copies what is left behind a write request; `onWritten` frees both.
    private func queue(_ bytes: UnsafeRawBufferPointer, _ more: UnsafeRawBufferPointer, after sent: Int) {
        let count = bytes.count + more.count - sent
        let header = MemoryLayout<uv_write_t>.stride
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: header + count, alignment: MemoryLayout<uv_write_t>.alignment)
        let request = block.initializeMemory(as: uv_write_t.self, to: uv_write_t())
        let payload = UnsafeMutableRawBufferPointer(start: block + header, count: count)
        if sent < bytes.count {
            payload.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            UnsafeMutableRawBufferPointer(rebasing: payload[(bytes.count - sent)...]).copyMemory(from: more)
        } else {
            payload.copyMemory(from: UnsafeRawBufferPointer(rebasing: more[(sent - bytes.count)...]))
        }
        request.pointee.data = UnsafeMutableRawPointer(bitPattern: count)
        var buffer = uv_buf_t(base: (block + header).assumingMemoryBound(to: CChar.self), len: count)
        let status = uv_write(request, handle.asStream, &buffer, 1, onWritten)
        if status == 0 {
            queued += count
        } else {
            block.deallocate()
            fail(status, "write")
        }
    }

    fileprivate func written(_ count: Int, _ status: Int32) {
        let before = queuedBytes
        queued -= count
        guard !isClosed else { return }
        if status < 0 { return fail(status, "write") }
        if queuedBytes == 0, closesWhenDrained { return close() }
        if queuedBytes == 0 || (before > Self.lowWaterBytes && queuedBytes <= Self.lowWaterBytes) {
            delegate?.connectionDrained(self)
        }
    }

    // MARK: The end

    /// Tells the peer, after everything queued, that no more will come; reading goes on.
    package func shutdownWriting() {
        guard !isClosed else { return }
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        request.initialize(to: uv_shutdown_t())
        if uv_shutdown(request, handle.asStream, onShutdown) != 0 { request.deallocate() }
    }

    /// Closes once everything queued has been sent.
    package func closeWhenDrained() {
        if queuedBytes == 0 { close() } else { closesWhenDrained = true }
    }

    /// Closes at once; what is queued is lost. The delegate hears of it in this turn of the loop, after this call.
    package override func close() {
        if let filter {
            self.filter = nil
            filter.connectionWillClose(self)
        }
        guard !isClosed else { return }
        closed = true
        reading = false
        uv_close(handle.asHandle, onClose)
    }

    func fail(_ status: Int32, _ what: String) { fail(TCPError(status, what)) }

    /// Closes at once, and tells the delegate why.
    package func fail(_ error: TCPError) {
        guard !isClosed, failure == nil else { return }
        failure = error
        close()
    }

    fileprivate func ended() {
        let delegate = self.delegate
        self.delegate = nil
        UnsafeMutableRawPointer(handle).deallocate()
        delegate?.connectionClosed(self, error: failure)
    }

    // MARK: Connecting

    func startConnecting(to address: SocketAddress, _ request: UnsafeMutablePointer<uv_connect_t>) -> Int32 {
        address.withAddress { uv_tcp_connect(request, handle, $0, onConnect) }
    }
}

// MARK: - Callbacks of libuv

@inline(__always)
private func connection(_ stream: UnsafeMutablePointer<uv_stream_t>?) -> TCPConnection? {
    guard let data = stream?.pointee.data else { return nil }
    // Safety: these callbacks are given for streams of `TCPConnection` only.
    return unsafeDowncast(Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue(), to: TCPConnection.self)
}

private func onAllocate(
    _ handle: UnsafeMutablePointer<uv_handle_t>?, _ suggested: Int, _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
    guard let data = handle?.pointee.loop.pointee.data, let buffer else { return }
    let memory = Unmanaged<EventLoop>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.readBuffer }
    buffer.pointee.base = memory.baseAddress?.assumingMemoryBound(to: CChar.self)
    buffer.pointee.len = memory.count
}

private func onRead(_ stream: UnsafeMutablePointer<uv_stream_t>?, _ count: Int, _ buffer: UnsafePointer<uv_buf_t>?) {
    connection(stream)?.received(count)
}

private func onWritten(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: Int32) {
    guard let request else { return }
    let count = Int(bitPattern: request.pointee.data)
    let owner = connection(request.pointee.handle)
    UnsafeMutableRawPointer(request).deallocate()
    owner?.written(count, status)
}

private func onShutdown(_ request: UnsafeMutablePointer<uv_shutdown_t>?, _ status: Int32) { request?.deallocate() }

private func onClose(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let data = handle?.pointee.data else { return }
    // Safety: given for connections only; balances the retain of `init`.
    let owner = Unmanaged<LoopHandle>.fromOpaque(data).takeRetainedValue()
    unsafeDowncast(owner, to: TCPConnection.self).ended()
}
