internal import HTTPCodec

/// Which fields pass the gateway: no client may say who it is or where it comes from, and what belongs to one
/// connection ends with it (RFC 9110, section 7.6.1).
enum HeaderPolicy {
    /// Fields that only the gateway itself may set.
    private static let reserved: Set<String> = [
        "x-vitrine-identity", "x-user-id", "x-admin", "admin", "x-company-id", "x-roles", "forwarded",
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip",
        "x-request-deadline", "x-request-id", "traceparent", "tracestate", "baggage",
    ]

    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "expect",
    ]

    /// Fields that responses carry in any case.
    static let security: [(name: String, value: String)] = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ]

    /// What goes on to a service. The token stays behind: the signed identity replaces it.
    static func forUpstream(_ fields: HTTPFields) -> HTTPFields {
        var fields = fields
        let named = connectionOptions(fields)
        fields.filter { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            return !reserved.contains(name) && !hopByHop.contains(name) && name != "authorization"
                && !named.contains(name)
        }
        return fields
    }

    /// What goes back to the client.
    static func forClient(_ fields: HTTPFields) -> HTTPFields {
        var fields = fields
        let named = connectionOptions(fields)
        fields.filter { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            return !hopByHop.contains(name) && !named.contains(name) && name != "x-request-id" && name != "x-trace-id"
        }
        for (name, value) in security where !fields.contains(name) { fields.add(name, value) }
        return fields
    }

    /// Fields that `Connection` names as its own.
    private static func connectionOptions(_ fields: HTTPFields) -> Set<String> {
        let values = fields.values("connection")
        guard !values.isEmpty else { return [] }
        return Set(
            values.flatMap { $0.split(separator: ",") }.map { option in
                String(option.filter { $0 != " " && $0 != "\t" }).lowercased()
            })
    }
}
