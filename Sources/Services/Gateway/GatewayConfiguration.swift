internal import Configuration

/// Settings of the gateway.
struct GatewayConfiguration: Sendable {
    /// `GATEWAY_RATE_LIMIT_PER_SECOND`: requests of one client address. 1 to 1,000,000; 1,000, twice as many at once.
    let ratePerSecond: Int
    /// `GATEWAY_USER_RATE_LIMIT_PER_SECOND`: requests of one user, from wherever. 1 to 1,000,000; as many as of one
    /// address.
    let userRatePerSecond: Int
    /// `GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND`: sign-ins and registrations of one address. 1 to 10,000; 20.
    let sensitiveRatePerSecond: Int
    /// `GATEWAY_UPSTREAM_TIMEOUT_MS`: until a service begins to answer, then between two pieces of its answer. 100 to
    /// 600,000; 10,000.
    let upstreamTimeoutMilliseconds: Int
    /// `GATEWAY_MAX_BODY_BYTES`: the largest request body that is passed on. 1 KiB to 1 GiB; 1 MiB.
    let maxBodyBytes: Int
    /// `GATEWAY_CORS_ORIGINS`: origins, separated by commas, that browsers may call from; none by default.
    let corsOrigins: Set<String>
    /// `GATEWAY_PUBLIC_SCHEME`: how clients reach the gateway, `http` or `https` when something before it ends TLS;
    /// `http`.
    let publicScheme: String
    /// `GATEWAY_TRUST_TRACE_CONTEXT`: whether traces that clients begin are continued instead of linked to; false.
    let trustsTraceContext: Bool

    /// `GATEWAY_OPENAPI_SECONDS`: how long the services' documents count as new. 1 to 3,600; 30.
    let documentSeconds: Int

    init(_ reader: ConfigurationReader) {
        ratePerSecond = reader.int("GATEWAY_RATE_LIMIT_PER_SECOND", default: 1_000, in: 1...1_000_000)
        userRatePerSecond = reader.int(
            "GATEWAY_USER_RATE_LIMIT_PER_SECOND", default: ratePerSecond, in: 1...1_000_000)
        sensitiveRatePerSecond = reader.int("GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND", default: 20, in: 1...10_000)
        upstreamTimeoutMilliseconds = reader.int("GATEWAY_UPSTREAM_TIMEOUT_MS", default: 10_000, in: 100...600_000)
        maxBodyBytes = reader.int("GATEWAY_MAX_BODY_BYTES", default: 1 << 20, in: 1 << 10...1 << 30)
        publicScheme = reader.choice("GATEWAY_PUBLIC_SCHEME", of: ["http", "https"], default: "http")
        trustsTraceContext = reader.bool("GATEWAY_TRUST_TRACE_CONTEXT", default: false)
        documentSeconds = reader.int("GATEWAY_OPENAPI_SECONDS", default: 30, in: 1...3_600)
        let origins = reader.string("GATEWAY_CORS_ORIGINS", default: "")
            .split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
        for origin in origins where origin != "*" && !Self.isOrigin(origin) {
            reader.report("GATEWAY_CORS_ORIGINS holds '\(origin)': expected scheme://host or scheme://host:port")
        }
        corsOrigins = Set(origins)
    }

    /// A scheme and an authority, no path: what browsers send (RFC 6454, section 6.1).
    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let authority = text.dropFirst(scheme.count)
            return !authority.isEmpty && !authority.contains("/")
        }
        return false
    }
}
