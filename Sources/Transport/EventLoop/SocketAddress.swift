internal import CLibUV
internal import Glibc

/// An IP address with its port.
package struct SocketAddress: Sendable {
    private var storage: sockaddr_storage

    /// - Parameters: address: an IPv4 or IPv6 literal, without brackets. - port: 0 to 65,535.
    package init?(_ address: String, port: Int) {
        guard (0...65_535).contains(port) else { return nil }
        storage = sockaddr_storage()
        let isValid = withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            return uv_ip4_addr(address, Int32(port), raw.assumingMemoryBound(to: sockaddr_in.self)) == 0
                || uv_ip6_addr(address, Int32(port), raw.assumingMemoryBound(to: sockaddr_in6.self)) == 0
        }
        if !isValid { return nil }
    }

    /// Copies an address that the system gave; nil unless it is IPv4 or IPv6.
    init?(copying address: UnsafePointer<sockaddr>, port: Int? = nil) {
        storage = sockaddr_storage()
        let size: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: size = MemoryLayout<sockaddr_in>.size
        case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: .init(start: address, count: size)) }
        if let port { self.port = port }
    }

    init(_ storage: sockaddr_storage) { self.storage = storage }

    package var isIPv6: Bool { Int32(storage.ss_family) == AF_INET6 }
    var family: Int32 { Int32(storage.ss_family) }

    /// 0 to 65,535.
    package var port: Int {
        get {
            // Safety (here and below): the family says which of the two structures the storage holds; both keep
            // their port at the same place.
            withUnsafeBytes(of: storage) { Int(UInt16(bigEndian: $0.load(as: sockaddr_in.self).sin_port)) }
        }
        set {
            withUnsafeMutableBytes(of: &storage) { bytes in
                bytes.storeBytes(
                    of: UInt16(newValue).bigEndian, toByteOffset: MemoryLayout<sockaddr_in>.offset(of: \.sin_port)!,
                    as: UInt16.self)
            }
        }
    }

    /// The address as text, without port and brackets.
    package var ip: String {
        var text = [CChar](repeating: 0, count: 64)
        let status = withAddress { address in
            UnsafeRawPointer(address).withMemoryRebound(to: sockaddr.self, capacity: 1) {
                uv_ip_name($0, &text, text.count)
            }
        }
        guard status == 0 else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The 16 bytes of the address as two words; IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2).
    package var words: (high: UInt64, low: UInt64) {
        withUnsafeBytes(of: storage) { bytes in
            if isIPv6 {
                let start = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!
                return (
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self))
                )
            }
            let address = UInt32(bigEndian: bytes.load(as: sockaddr_in.self).sin_addr.s_addr)
            return (0, 0xFFFF_0000_0000 | UInt64(address))
        }
    }

    func withAddress<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
        withUnsafePointer(to: storage) { pointer in
            body(UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self))
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String { isIPv6 ? "[\(ip)]:\(port)" : "\(ip):\(port)" }
}
