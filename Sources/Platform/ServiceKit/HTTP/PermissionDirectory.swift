internal import Security
internal import Synchronization
internal import Telemetry
internal import Values

/// What users may do beyond their roles, as the users service says it: asked once, then kept for half a minute, or until
/// an event says that it has changed. Whoever has a role that suffices is never looked up.
///
///     let permissions = PermissionDirectory.ofUsers(app)
///     routes.post("", permissions.access("stock.write", or: ["manager"]), create)
package final class PermissionDirectory: Sendable {
    /// Asks for all permissions of a user.
    package typealias Source = @Sendable (_ userID: String) async throws -> Set<String>

    /// How long an answer is good when no event ends it sooner: of several processes of a service, one hears of it.
    static let lifetimeMilliseconds = 30_000
    private static let capacity = 16_384
    /// Apart, so that loops seldom wait for one another.
    private static let shardCount = 16

    private struct Entry: Sendable {
        let permissions: Set<String>
        /// By the monotonic clock.
        let endNanoseconds: UInt64
    }

    private struct Known: Sendable {
        var entries = BoundedCache<String, Entry>(capacity: capacity / shardCount)
        /// Counts what was forgotten: an answer that was asked for before is not kept.
        var generation = 0
    }

    private final class Shard: Sendable {
        let known = Mutex(Known())
    }

    private let shards = (0..<shardCount).map { _ in Shard() }
    private let source: Source
    private let now: @Sendable () -> UInt64

    package init(
        now: @escaping @Sendable () -> UInt64 = { TelemetryClock.system.monotonicNanoseconds() },
        source: @escaping Source
    ) {
        self.source = source
        self.now = now
    }

    /// A permission for routes: whoever has one of the roles, or was given the permission.
    package func access(_ permission: String, or roles: [String]) -> Access {
        .permission(Grant(permission: permission, roles: roles, directory: self))
    }

    /// Whether a user was given a permission, as far as it is known here; nil when users must be asked.
    func known(_ permission: String, _ userID: String) -> Bool? {
        let time = now()
        return shard(userID).known.withLock { known in
            guard let entry = known.entries[userID], time < entry.endNanoseconds else { return nil }
            return entry.permissions.contains(permission)
        }
    }

    /// By the last bytes of the id, which are random: the dictionary hashes it all.
    private func shard(_ userID: String) -> Shard {
        var sum = 0
        for byte in userID.utf8.suffix(4) { sum = sum &* 31 &+ Int(byte) }
        return shards[sum & (Self.shardCount - 1)]
    }

    /// Whether a user was given a permission.
    /// - Throws: what the source throws, when nothing is known.
    package func has(_ permission: String, _ userID: String) async throws -> Bool {
        if let known = known(permission, userID) { return known }
        let shard = self.shard(userID)
        // What is known is as old as the question, not as the answer.
        let time = now()
        let generation = shard.known.withLock(\.generation)
        let permissions = try await source(userID)
        let end = time + UInt64(Self.lifetimeMilliseconds) * 1_000_000
        shard.known.withLock { known in
            guard known.generation == generation else { return }
            known.entries[userID] = Entry(permissions: permissions, endNanoseconds: end)
        }
        return permissions.contains(permission)
    }

    /// Has the users service asked again.
    /// - Parameter userID: whose permissions have changed; nil for anybody's.
    package func forget(_ userID: String?) {
        for shard in shards {
            shard.known.withLock { known in
                known.generation += 1
                if let userID {
                    known.entries[userID] = nil
                } else {
                    known.entries = BoundedCache(capacity: Self.capacity / Self.shardCount)
                }
            }
        }
    }

    /// Who may call a route: see `access`.
    package struct Grant: Sendable {
        package let permission: String
        package let roles: [String]
        let directory: PermissionDirectory

        /// Whether somebody may, as far as it is known here; nil when users must be asked.
        func known(_ identity: Identity) -> Bool? {
            if identity.roles.contains(where: roles.contains) { return true }
            return directory.known(permission, identity.userID)
        }

        /// - Throws: `HTTPError` 403; what the source throws.
        func check(_ identity: Identity?) async throws {
            guard let identity else { throw HTTPError.unauthenticated }
            if identity.roles.contains(where: roles.contains) { return }
            guard try await directory.has(permission, identity.userID) else { throw Authenticator.forbidden }
        }
    }
}
