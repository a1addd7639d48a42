internal import Resilience
internal import Security
internal import Telemetry

/// Slows down whoever guesses passwords: so many attempts for an account from one address, and for the account from
/// everywhere, so that many addresses (or an invented one) do not give many guesses.
struct LoginThrottle: Sendable {
    private let perAddress: RateLimiter
    private let perAccount: RateLimiter

    /// An account may be used from some places at once; more than these is an attack.
    private static let addressesPerAccount = 10.0

    init(attemptsPerMinute: Int) {
        let perSecond = Double(attemptsPerMinute) / 60
        perAddress = RateLimiter(ratePerSecond: perSecond, burst: Double(attemptsPerMinute))
        perAccount = RateLimiter(
            ratePerSecond: perSecond * Self.addressesPerAccount,
            burst: Double(attemptsPerMinute) * Self.addressesPerAccount)
    }

    /// - Returns: nil when the attempt may be made; else the whole seconds to wait. The same for accounts that exist and
    ///   those that do not.
    func refusal(login: String, address: String) -> Int? {
        let now = TelemetryClock.system.monotonicNanoseconds()
        // Hashed, so that the keys have a fixed size and memory holds no names.
        let account = Crypto.sha256Hex(login.lowercased())
        if case .refused(let seconds) = perAddress.admit(account + address, now: now) { return Self.whole(seconds) }
        if case .refused(let seconds) = perAccount.admit(account, now: now) { return Self.whole(seconds) }
        return nil
    }

    private static func whole(_ seconds: Double) -> Int { max(1, Int(seconds.rounded(.up))) }
}
