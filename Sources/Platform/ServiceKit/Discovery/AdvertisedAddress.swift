internal import Glibc

/// Where others reach a service of this process.
enum AdvertisedAddress {
    /// What is told to others: what the settings say; else the address that is listened on; else, where that is all of
    /// them, the first of this machine that is not the loopback interface's.
    static func find(told: String?, listensOn host: String) -> String {
        if let told { return told }
        guard host == "0.0.0.0" || host == "::" else { return host == "localhost" ? "127.0.0.1" : host }
        return ofInterfaces() ?? "127.0.0.1"
    }

    private static func ofInterfaces() -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let interface = next?.pointee {
            next = interface.ifa_next
            guard interface.ifa_flags & UInt32(IFF_UP) != 0,
                interface.ifa_flags & UInt32(IFF_LOOPBACK) == 0,
                let address = interface.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET)
            else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            guard getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
                continue
            }
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return nil
    }
}
