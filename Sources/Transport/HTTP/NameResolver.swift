internal import EventLoop
internal import Glibc
internal import Synchronization

/// Names to addresses, off the loop, remembered for a short while. Address literals never leave the loop.
final class NameResolver: Sendable {
    private struct Entry {
        var address: String
        var expires: UInt64
    }

    private let workers = WorkerPool(threads: 1, capacity: 256, name: "resolver")
    private let cache = Mutex<[String: Entry]>([:])
    private static let lifetimeNanoseconds: UInt64 = 10_000_000_000
    private static let maxEntries = 256

    deinit { workers.shutdown() }

    /// - Throws: `HTTPClientError.connectFailed` when the name is unknown.
    func address(of name: String) async throws -> String {
        if name == "localhost" { return "127.0.0.1" }
        if Self.isLiteral(name) { return name }
        let now = MonotonicClock.nanoseconds()
        if let known = cache.withLock({ $0[name] }), known.expires > now { return known.address }
        guard let address = try await workers.run({ Self.resolve(name) }) else {
            throw HTTPClientError.connectFailed("the host name cannot be resolved")
        }
        cache.withLock { cache in
            if cache.count >= Self.maxEntries { cache.removeAll() }
            cache[name] = Entry(address: address, expires: now + Self.lifetimeNanoseconds)
        }
        return address
    }

    private static func isLiteral(_ name: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1
    }

    private static func resolve(_ name: String) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(first) }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
            getnameinfo(
                first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                == 0
        else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
