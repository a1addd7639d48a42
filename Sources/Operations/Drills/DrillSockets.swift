internal import Glibc
internal import Synchronization

/// Connections that say nothing, from an address of their own (127.0.0.9), so that they take room and nobody else's.
final class DrillSockets: Sendable {
    private let open = Mutex<[String: [Int32]]>([:])

    /// - Parameter keep: the oldest of more are closed.
    func open(_ count: Int, to name: String, port: Int, keep: Int) {
        let new = (0..<count).compactMap { _ in Self.connect(port) }
        let old = open.withLock { open -> [Int32] in
            let all = (open[name] ?? []) + new
            let surplus = max(0, all.count - keep)
            open[name] = Array(all.dropFirst(surplus))
            return Array(all.prefix(surplus))
        }
        for socket in old { close(socket) }
    }

    func closeAll(to name: String) {
        for socket in open.withLock({ $0.removeValue(forKey: name) ?? [] }) { close(socket) }
    }

    private static func connect(_ port: Int) -> Int32? {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        func address(_ host: UInt32, _ port: Int) -> sockaddr_in {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = in_addr_t(host).bigEndian
            return address
        }
        var own = address(0x7F00_0009, 0)
        var other = address(0x7F00_0001, port)
        let isConnected =
            withUnsafePointer(to: &own) { own in
                own.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            && withUnsafePointer(to: &other) { other in
                other.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    // It connects while others go on.
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                        || errno == EINPROGRESS
                }
            }
        guard isConnected else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
