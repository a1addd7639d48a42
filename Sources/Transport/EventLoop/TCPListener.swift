internal import CLibUV
internal import Glibc

/// A listening socket of one loop. Several loops may listen on the same port: the kernel spreads connections over
/// them (`SO_REUSEPORT`).
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
package final class TCPListener: LoopHandle, @unchecked Sendable {
    private let loop: EventLoop
    private var handle: UnsafeMutablePointer<uv_tcp_t>?
    private let accepted: (TCPConnection) -> Void
    private var isPaused = false
    private var hasWaiting = false
    /// The address that is bound, with its port.
    package private(set) var address: SocketAddress

    /// Binds and listens. Loop thread only.
    /// - Parameters:
    ///   - address: port 0 takes a free one. - backlog: connections that the kernel keeps until they are accepted.
    ///   - accepted: gets each connection; it sets the delegate and starts reading.
    /// - Throws: `TCPError` that names the address.
    package init(
        loop: EventLoop, address: SocketAddress, backlog: Int32 = 4096, accepted: @escaping (TCPConnection) -> Void
    ) throws {
        loop.preconditionInLoop()
        self.loop = loop
        self.address = address
        self.accepted = accepted
        super.init()
        let handle = makeHandle(uv_tcp_t.self)
        let status = uv_tcp_init_ex(loop.uv, handle, UInt32(address.family))
        guard status == 0 else {
            UnsafeMutableRawPointer(handle).deallocate()
            throw TCPError(status, "listen on \(address)")
        }
        self.handle = handle
        // Released by `close`: a listener that is dropped and not closed goes on listening.
        handle.pointee.data = Unmanaged.passRetained(self as LoopHandle).toOpaque()
        do {
            try bind(handle, backlog)
        } catch {
            close()
            throw error
        }
    }

    private func bind(_ handle: UnsafeMutablePointer<uv_tcp_t>, _ backlog: Int32) throws {
        var descriptor: Int32 = -1
        try check(uv_fileno(handle.asHandle, &descriptor))
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, size) == 0 else { try check(-errno); return }
        // Accepted sockets inherit it: one system call less for each connection.
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, size)
        try check(address.withAddress { uv_tcp_bind(handle, $0, 0) })
        try check(uv_listen(handle.asStream, backlog, onConnection))
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        try check(
            withUnsafeMutablePointer(to: &storage) { pointer in
                uv_tcp_getsockname(
                    handle, UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &length)
            })
        address = SocketAddress(storage)
    }

    private func check(_ status: Int32) throws {
        if status < 0 { throw TCPError(status, "listen on \(address)") }
    }

    /// Leaves new connections to the kernel's backlog.
    package func pause() { isPaused = true }

    /// Accepts again, beginning with what has waited.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        if hasWaiting {
            hasWaiting = false
            acceptOne()
        }
    }

    fileprivate func connectionWaits(_ status: Int32) {
        // An error here (out of descriptors, a connection that died in the backlog) concerns that one connection.
        guard status == 0 else { return }
        if isPaused { hasWaiting = true } else { acceptOne() }
    }

    private func acceptOne() {
        guard let handle, let connection = TCPConnection.accepting(from: handle, loop: loop) else { return }
        accepted(connection)
    }

    /// Stops listening; accepted connections stay.
    package override func close() {
        guard let handle else { return }
        self.handle = nil
        let data = handle.pointee.data
        dispose(handle)
        if let data { Unmanaged<LoopHandle>.fromOpaque(data).release() }
    }

    /// Whether nobody listens on the address yet: `SO_REUSEPORT` would let two processes share it unnoticed.
    /// - Throws: `TCPError` that names the address.
    package static func refuseIfInUse(_ address: SocketAddress) throws {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TCPError(-errno, "listen on \(address)") }
        defer { Glibc.close(descriptor) }
        var yes: Int32 = 1
        // As libuv does: connections that linger in TIME_WAIT do not count.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let size = address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        guard address.withAddress({ Glibc.bind(descriptor, $0, socklen_t(size)) }) == 0 else {
            throw TCPError(-errno, "listen on \(address)")
        }
    }
}

private func onConnection(_ stream: UnsafeMutablePointer<uv_stream_t>?, _ status: Int32) {
    guard let data = stream?.pointee.data else { return }
    // Safety: only `TCPListener` listens with this callback.
    unsafeDowncast(Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue(), to: TCPListener.self)
        .connectionWaits(status)
}
