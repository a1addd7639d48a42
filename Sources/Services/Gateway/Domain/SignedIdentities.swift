internal import Security
internal import Synchronization
internal import Values

/// Identities as the services accept them, signed once for many requests of the same caller.
final class SignedIdentities: Sendable {
    private struct Entry {
        let text: String
        let expires: Int64
    }

    private let signer: IdentitySigner
    private let entries = Mutex<[Identity: Entry]>([:])
    private static let maxEntries = 10_000
    /// Half of what a signature is good for: one that is handed out still lives through its request.
    private static let reuseSeconds = IdentitySigner.lifetimeSeconds / 2

    init(signer: IdentitySigner) { self.signer = signer }

    func text(for identity: Identity) -> String {
        let now = Timestamp.now().secondsSince1970
        return entries.withLock { entries in
            if let entry = entries[identity], entry.expires > now { return entry.text }
            if entries.count >= Self.maxEntries { entries.removeAll(keepingCapacity: true) }
            let text = signer.sign(identity, now: now)
            entries[identity] = Entry(text: text, expires: now + Self.reuseSeconds)
            return text
        }
    }
}
