/// The parts of `amqp://user:password@host:port/vhost`.
struct AMQPAddress: Sendable {
    let host: String
    let port: Int
    let user: String
    let password: String
    let virtualHost: String

    /// - Throws: `AMQPError.connection`; the text is not repeated, it may hold a password.
    init(url: String) throws(AMQPError) {
        guard url.hasPrefix("amqp://") else { throw .connection("the URL must start with amqp://") }
        var rest = url.dropFirst("amqp://".count)
        var user = "guest"
        var password = "guest"
        if let at = rest.lastIndex(of: "@") {
            let pair = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = Self.decoded(pair[0])
            password = pair.count == 2 ? Self.decoded(pair[1]) : ""
            rest = rest[rest.index(after: at)...]
        }
        self.user = user
        self.password = password
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard let name = address.first, !name.isEmpty, let port = address.count > 1 ? Int(address[1]) : 5672 else {
            throw .connection("the URL must be amqp://user:password@host:port/vhost")
        }
        host = String(name)
        self.port = port
        virtualHost = parts.count == 2 && !parts[1].isEmpty ? Self.decoded(parts[1]) : "/"
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
