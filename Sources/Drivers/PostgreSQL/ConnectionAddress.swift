internal import EventLoop
internal import Glibc

/// The database URL's parts, and its host's address: libpq would block the loop while it asks the name server.
struct ConnectionAddress: Sendable {
    let host: String
    let port: Int
    let database: String

    private static let resolvers = WorkerPool(threads: 1, capacity: 256, name: "pg-resolve")

    init(url: String) {
        var rest = url[...]
        if let scheme = rest.range(of: "://") { rest = rest[scheme.upperBound...] }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        var port = 5432
        if let colon = authority.lastIndex(of: ":"), let number = Int(authority[authority.index(after: colon)...]) {
            port = number
            authority = authority[..<colon]
        }
        host = String(authority)
        self.port = port
        database = String(rest[end...].drop { $0 == "/" }.prefix { $0 != "?" })
    }

    /// - Returns: the address for `hostaddr`; nil when libpq needs none (a literal, a Unix socket).
    static func resolve(_ url: String) async throws -> String? {
        let host = ConnectionAddress(url: url).host
        var address = in6_addr()
        if host.isEmpty || inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1 {
            return nil
        }
        if host == "localhost" { return "127.0.0.1" }
        let resolved = try await resolvers.run { () -> String? in
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, nil, nil, &list) == 0, let first = list else { return nil }
            defer { freeaddrinfo(first) }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard
                getnameinfo(
                    first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
                    NI_NUMERICHOST) == 0
            else { return nil }
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard let resolved else { throw PostgreSQLError.connection("the host '\(host)' cannot be resolved") }
        return resolved
    }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index..<self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
