internal import Configuration

/// Settings of the gateway.
struct GatewayConfiguration: Sendable {
    /// `GATEWAY_RATE_LIMIT_PER_SECOND`: requests of one client address. 1 to 1,000,000; 1,000, twice as many at once.
    let ratePerSecond: Int
    /// `GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND`: sign-ins and registrations of one address. 1 to 10,000; 20.
    let sensitiveRatePerSecond: Int
    /// `GATEWAY_CORS_ORIGINS`: origins, separated by commas, that browsers may call from; none by default.
    let corsOrigins: Set<String>

    init(_ reader: ConfigurationReader) {
        ratePerSecond = reader.int("GATEWAY_RATE_LIMIT_PER_SECOND", default: 1_000, in: 1...1_000_000)
        sensitiveRatePerSecond = reader.int("GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND", default: 20, in: 1...10_000)
        let origins = reader.string("GATEWAY_CORS_ORIGINS", default: "")
        corsOrigins = Set(origins.split(separator: ",").map { $0.filter { $0 != " " } })
    }
}
