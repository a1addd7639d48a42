internal import EventLoop

/// The database URL's parts, and its host's address: libpq would block the loop while it asks the name server.
struct ConnectionAddress: Sendable {
    let host: String
    let port: Int
    let database: String

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

    /// The address for `hostaddr`; nil when libpq needs none (a Unix socket).
    /// - Throws: `PostgreSQLError.connection` that names the host.
    func resolved(by resolver: NameResolver) async throws -> String? {
        if host.isEmpty || host.hasPrefix("%2F") || host.hasPrefix("%2f") { return nil }
        do { return try await resolver.resolve(host, port: port).first?.ip } catch {
            throw PostgreSQLError.connection("the host '\(host)' cannot be resolved")
        }
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
