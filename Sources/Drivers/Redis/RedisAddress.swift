/// The parts of `redis://[user:password@]host:port[/database]`.
struct RedisAddress: Sendable {
    let host: String
    let port: Int
    let username: String?
    let password: String?
    let database: Int

    /// - Throws: `RedisError.connection` when it is not such a URL; the text is not repeated, it may hold a password.
    init(url: String) throws(RedisError) {
        guard url.hasPrefix("redis://") else { throw .connection("the URL must start with redis://") }
        var rest = url.dropFirst("redis://".count)
        var credentials: Substring?
        if let at = rest.lastIndex(of: "@") {
            credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard let name = address.first, !name.isEmpty, address.count <= 2 else {
            throw .connection("the URL must be redis://host:port")
        }
        host = name == "localhost" ? "127.0.0.1" : String(name)
        guard let port = address.count == 2 ? Int(address[1]) : 6379, (1...65535).contains(port) else {
            throw .connection("the URL's port is not a number from 1 to 65535")
        }
        self.port = port
        if parts.count == 2, !parts[1].isEmpty {
            guard let number = Int(parts[1]), (0...4095).contains(number) else {
                throw .connection("the URL's database is not a number")
            }
            database = number
        } else {
            database = 0
        }
        if let credentials {
            let pair = credentials.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            password = pair.count == 2 ? String(pair[1]) : nil
            username = pair[0].isEmpty ? nil : String(pair[0])
        } else {
            username = nil
            password = nil
        }
    }
}
