internal import HTTPCodec
internal import Resilience
internal import Security
internal import ServiceKit
internal import Telemetry

/// How many requests a client may send: by address, by user, and more tightly where passwords are guessed at. Local to
/// this instance, and bounded in memory.
struct Limits: Sendable {
    private struct Limit: Sendable {
        let limiter: RateLimiter
        let ratePerSecond: Int
        let kind: GatewayTelemetry.LimitClass

        /// A quiet client saves up as much as two seconds give.
        var burst: Int { ratePerSecond * Self.burstSeconds }
        private static let burstSeconds = 2

        init(_ kind: GatewayTelemetry.LimitClass, ratePerSecond: Int) {
            self.kind = kind
            self.ratePerSecond = ratePerSecond
            limiter = RateLimiter(
                ratePerSecond: Double(ratePerSecond), burst: Double(ratePerSecond * Self.burstSeconds))
        }
    }

    private let address: Limit
    private let user: Limit
    private let sensitive: Limit
    private let telemetry: GatewayTelemetry

    init(_ configuration: GatewayConfiguration, telemetry: GatewayTelemetry) {
        address = Limit(.address, ratePerSecond: configuration.ratePerSecond)
        user = Limit(.user, ratePerSecond: configuration.userRatePerSecond)
        sensitive = Limit(.sensitive, ratePerSecond: configuration.sensitiveRatePerSecond)
        self.telemetry = telemetry
    }

    /// - Parameter peer: the address of the connection: a client could write anything into a forwarding field.
    /// - Throws: 429 with `Retry-After` and the `RateLimit` fields.
    func admit(peer: String, identity: Identity?, isSensitive: Bool) throws {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let key = ClientKey.of(peer)
        try check(address, key, now)
        if isSensitive { try check(sensitive, key, now) }
        if let identity { try check(user, identity.userID, now) }
    }

    private func check(_ limit: Limit, _ key: String, _ now: UInt64) throws {
        guard case .refused(let seconds) = limit.limiter.admit(key, now: now) else { return }
        telemetry.noteLimited(limit.kind)
        let wait = max(1, Int(seconds.rounded(.up)))
        var error = HTTPError(.tooManyRequests, "rate_limited", "too many requests: try again in \(wait) s")
        // draft-ietf-httpapi-ratelimit-headers: what the policy is, and what is left of it.
        error.headers = [
            ("retry-after", "\(wait)"),
            ("ratelimit-policy", "\"\(limit.kind.rawValue)\";q=\(limit.burst);w=\(limit.burst / limit.ratePerSecond)"),
            ("ratelimit", "\"\(limit.kind.rawValue)\";r=0;t=\(wait)"),
        ]
        throw error
    }
}
