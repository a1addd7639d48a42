internal import EventLoop
internal import Security
internal import Telemetry
internal import Values

/// Identities as the services accept them, signed once for many requests of the same caller.
///
/// Safety (`@unchecked Sendable`): each cache is touched on the thread of its own loop only.
final class SignedIdentities: @unchecked Sendable {
    private struct Signed {
        let text: String
        /// Seconds since 1970.
        let expires: Int64
    }

    private let signer: IdentitySigner
    private let group: EventLoopGroup
    private let caches: [LoopCache]

    private final class LoopCache {
        var entries = BoundedCache<Identity, Signed>(capacity: SignedIdentities.maxIdentitiesPerLoop)
    }

    private static let maxIdentitiesPerLoop = 10_000
    /// Half of what a signature is good for: one that is handed out still lives through its request.
    private static let reuseSeconds = IdentitySigner.lifetimeSeconds / 2

    init(signer: IdentitySigner, group: EventLoopGroup) {
        self.signer = signer
        self.group = group
        caches = group.loops.map { _ in LoopCache() }
    }

    /// The value of `X-Vitrine-Identity`, good for half a minute or more.
    func text(for identity: Identity) -> String {
        let now = Int64(TelemetryClock.system.wallNanoseconds() / 1_000_000_000)
        guard let loop = EventLoop.current, group.owns(loop) else { return signer.sign(identity, now: now) }
        let cache = caches[loop.index]
        if let known = cache.entries[identity], known.expires > now { return known.text }
        let text = signer.sign(identity, now: now)
        cache.entries[identity] = Signed(text: text, expires: now + Self.reuseSeconds)
        return text
    }
}
