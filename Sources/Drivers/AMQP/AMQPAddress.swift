/// The parts of `amqp://user:password@host:port/vhost` (RabbitMQ URI specification).
struct AMQPAddress: Sendable {
    let host: String
    let port: Int
    let user: String
    let password: String
    let virtualHost: String

    private static let form = "the URL must be amqp://user:password@host:port/vhost"

    /// - Throws: `AMQPError.connection`; the text is not repeated, it may hold a password.
    init(url: String) throws(AMQPError) {
        guard url.hasPrefix("amqp://") else { throw .connection(Self.form) }
        var rest = url.dropFirst("amqp://".count)
        var user = "guest"
        var password = "guest"
        if let at = rest.lastIndex(of: "@") {
            let pair = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(pair[0])
            password = pair.count == 2 ? try Self.decoded(pair[1]) : ""
            rest = rest[rest.index(after: at)...]
        }
        self.user = user
        self.password = password
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = address.first, !name.isEmpty, let port = address.count > 1 ? Int(address[1]) : 5672,
            (1...65_535).contains(port)
        else { throw .connection(Self.form) }
        host = String(name)
        self.port = port
        virtualHost = parts.count == 2 && !parts[1].isEmpty ? try Self.decoded(parts[1]) : "/"
    }

    private static func decoded(_ text: Substring) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                throw .connection(form)
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { throw .connection(form) }
        return text
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
