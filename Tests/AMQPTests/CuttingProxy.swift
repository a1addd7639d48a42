import Glibc
import Synchronization

/// A TCP proxy that can be told to cut, to hold back and to refuse.
final class CuttingProxy: Sendable {
    let port: Int
    private let target: Int
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        var sockets: [Int32] = []
        var isHolding = false
        var isRefusing = false
    }

    init(target: Int) {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = getsockname(listener, $0, &length)
            }
        }
        listen(listener, 16)
        port = Int(address.sin_port.bigEndian)
        Self.startThread(Work { [self] in acceptAll() })
    }

    /// Closes every connection.
    func cut() {
        state.withLock { state in
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            state.sockets = []
        }
    }

    /// Passes nothing on, in neither direction, until told otherwise.
    func hold(_ isHolding: Bool) { state.withLock { $0.isHolding = isHolding } }

    /// Closes new connections at once.
    func refuse(_ isRefusing: Bool) { state.withLock { $0.isRefusing = isRefusing } }

    func stop() {
        cut()
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            if client < 0 { break }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(port: target)
            let connected = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            let isWelcome = state.withLock { state in
                if !state.isRefusing { state.sockets += [client, server] }
                return !state.isRefusing
            }
            if isWelcome, connected == 0 {
                Self.startThread(Work { [self] in pass(client, server) })
            } else {
                close(client)
                close(server)
            }
        }
        close(listener)
    }

    private func pass(_ client: Int32, _ server: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        loop: while true {
            if state.withLock({ $0.isHolding && $0.sockets.contains(client) }) {
                usleep(2_000)
                continue
            }
            var descriptors = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, 20)
            for (index, other) in [(0, server), (1, client)] where descriptors[index].revents != 0 {
                let count = recv(descriptors[index].fd, &buffer, buffer.count, 0)
                if count <= 0 { break loop }
                var sent = 0
                while sent < count {
                    let result = buffer.withUnsafeBytes {
                        send(other, $0.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
                    }
                    if result <= 0 { break loop }
                    sent += result
                }
            }
        }
        state.withLock { $0.sockets.removeAll { $0 == client || $0 == server } }
        close(client)
        close(server)
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private static func startThread(_ work: Work) {
        var thread: pthread_t = 0
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(work).toOpaque())
        pthread_detach(thread)
    }
}
