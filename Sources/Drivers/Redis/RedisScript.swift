internal import Synchronization

/// A Lua script that Redis runs as one atomic step, known to it by a digest of its text.
package final class RedisScript: Sendable {
    package let source: String
    private let known = Mutex<String?>(nil)

    package init(_ source: String) { self.source = source }

    /// SHA-1 of the source, as Redis told it; nil before the first run.
    var digest: String? {
        get { known.withLock { $0 } }
        set { known.withLock { $0 = newValue } }
    }
}
