internal import CLibUV
internal import Glibc

/// Accepts connections of one port on one event loop; several loops may listen on the same port, and the kernel
/// spreads connections among them (`SO_REUSEPORT`).
package final class TCPListener {
    package let loop: EventLoop
    /// The port that is bound.
    package private(set) var port = 0
    private var handle: UnsafeMutablePointer<uv_tcp_t>?
    fileprivate let accepted: (TCPConnection) -> Void

    private static let backlog: Int32 = 1024

    /// Binds and listens.
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - isShared: whether other listeners of this process bind the same port.
    ///   - accepted: receives each new connection.
    /// - Throws: `TCPError` that names the address.
    package init(
        loop: EventLoop, host: String, port: Int, isShared: Bool, accepted: @escaping (TCPConnection) -> Void
    ) throws {
        loop.preconditionInLoop()
        self.loop = loop
        self.accepted = accepted
        let handle = UnsafeMutablePointer<uv_tcp_t>.allocate(capacity: 1)
        let isIPv6 = host.contains(":")
        uv_tcp_init_ex(loop.uv, handle, UInt32(isIPv6 ? AF_INET6 : AF_INET))
        self.handle = handle
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        do {
            if isShared { try allowSharing(handle) }
            try bind(handle, host, port, isIPv6: isIPv6)
            try check(uv_listen(stream(handle), Self.backlog, onConnection), host, port)
            self.port = boundPort(handle)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    private func allowSharing(_ handle: UnsafeMutablePointer<uv_tcp_t>) throws {
        var descriptor: Int32 = -1
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            _ = uv_fileno($0, &descriptor)
        }
        var yes: Int32 = 1
        guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, socklen_t(MemoryLayout<Int32>.size)) == 0
        else { throw TCPError("SO_REUSEPORT is not available") }
    }

    private func bind(_ handle: UnsafeMutablePointer<uv_tcp_t>, _ host: String, _ port: Int, isIPv6: Bool) throws {
        var storage = sockaddr_storage()
        let result = withUnsafeMutablePointer(to: &storage) { pointer -> Int32 in
            let parsed =
                isIPv6
                ? pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { uv_ip6_addr(host, Int32(port), $0) }
                : pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { uv_ip4_addr(host, Int32(port), $0) }
            guard parsed == 0 else { return parsed }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { uv_tcp_bind(handle, $0, 0) }
        }
        try check(result, host, port)
    }

    private func check(_ result: Int32, _ host: String, _ port: Int) throws {
        guard result == 0 else { throw TCPError("cannot listen on \(host):\(port): \(TCPError(code: result))") }
    }

    private func boundPort(_ handle: UnsafeMutablePointer<uv_tcp_t>) -> Int {
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { uv_tcp_getsockname(handle, $0, &length) }
            // The port stands at the same place in both families.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
    }

    fileprivate func takeConnection() {
        guard let handle, let connection = TCPConnection.accept(from: stream(handle), loop: loop) else { return }
        accepted(connection)
    }

    /// Stops accepting; connections that were accepted live on.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        handle.pointee.data = nil
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            uv_close($0, freeListener)
        }
    }

    private func stream(_ handle: UnsafeMutablePointer<uv_tcp_t>) -> UnsafeMutablePointer<uv_stream_t> {
        UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_stream_t.self)
    }
}

private func onConnection(_ stream: UnsafeMutablePointer<uv_stream_t>?, _ status: Int32) {
    guard status == 0, let data = stream?.pointee.data else { return }
    Unmanaged<TCPListener>.fromOpaque(data).takeUnretainedValue().takeConnection()
}

private func freeListener(_ handle: UnsafeMutablePointer<uv_handle_t>?) { handle?.deallocate() }
