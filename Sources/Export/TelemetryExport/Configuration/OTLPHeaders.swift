internal import HTTPCodec

/// What `…_HEADERS` says: fields that go with every request to a collector. All of them can be sent, and none is what
/// the exporter says itself: whoever reads a warning here need not look for a token that never arrived.
enum OTLPHeaders {
    static let accepted =
        "name=value pairs joined by commas, values percent-encoded, that HTTP can carry and that are not the exporter's "
        + "own (Host, Content-Type, Content-Length, Connection…)"

    /// What makes a request what it is; another value of these would make it one that no collector understands.
    private static let own: Set<String> = [
        "connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive", "te",
        "trailer", "transfer-encoding", "upgrade",
    ]

    /// Nil when one of them cannot be sent.
    static func parse(_ text: String) -> [(name: String, value: String)]? {
        guard let pairs = KeyValueList.parse(text) else { return nil }
        var fields = HTTPFields()
        for (name, value) in pairs {
            guard !own.contains(name.lowercased()), fields.add(name, value) else { return nil }
        }
        return pairs.map { (name: $0.0, value: $0.1) }
    }
}
