internal import Glibc

/// Free ports of the loopback address, and whether somebody listens on one.
package enum Ports {
    /// Below the ports that the kernel gives to outgoing connections (`ip_local_port_range`, from 32,768), which could
    /// take one between our look and the server's bind.
    private static let range = 20_000...32_000
    private static let attempts = 200

    /// A port that nothing uses at this moment.
    package static func free() throws -> Int {
        for _ in 0..<attempts {
            let port = Int.random(in: range)
            if isFree(port) { return port }
        }
        throw LocalStackError("no free port on 127.0.0.1: check 'ulimit -n' and what listens ('ss -ltn')")
    }

    /// This port when it is free, else another one.
    package static func preferring(_ port: Int) throws -> Int { isFree(port) ? port : try free() }

    package static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    package static func accepts(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
