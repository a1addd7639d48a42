internal import Synchronization
internal import Telemetry

/// When a collector may be asked again that could not take a message: whatever waits for it, that message or another one,
/// in memory or on disk, waits until then. Its sender writes down how it answers.
final class RetryGate: Sendable {
    private struct State {
        /// In a row.
        var failures = 0
        /// Milliseconds of the monotonic clock.
        var notBefore: UInt64 = 0
    }

    /// While what is on disk cannot be sent, at most this long passes between two attempts, unless the collector asks for
    /// more.
    static let spoolPauseMilliseconds = 5_000

    private let retry: RetryPolicy
    private let hasSpool: Bool
    private let clock: TelemetryClock
    private let state = Mutex(State())

    /// - Parameter hasSpool: whether messages wait on disk, after one attempt each.
    init(_ retry: RetryPolicy, hasSpool: Bool, clock: TelemetryClock = .system) {
        self.retry = retry
        self.hasSpool = hasSpool
        self.clock = clock
    }

    private var nowMilliseconds: UInt64 { clock.monotonicNanoseconds() / 1_000_000 }

    /// Until the collector may be asked; zero when it may be.
    var millisecondsLeft: Int {
        let now = nowMilliseconds
        let notBefore = state.withLock { $0.notBefore }
        return notBefore > now ? Int(clamping: notBefore - now) : 0
    }

    /// The collector could not take a message.
    func failed() { state.withLock { $0.failures += 1 } }

    /// The collector has taken or refused a message.
    func answered() { state.withLock { $0.failures = 0 } }

    /// Decides how long the collector is left alone after a failure: never less than the back-off, however little it asks
    /// for.
    /// - Parameter attempt: of the message that it could not take.
    /// - Returns: milliseconds until the next attempt, and how many of them the collector asked for.
    func close(attempt: Int, retryAfter: String?) -> (delay: Int, asked: Int) {
        let nowSeconds = Int64(clock.wallNanoseconds() / 1_000_000_000)
        let asked = retryAfter.flatMap { retry.delayMilliseconds(retryAfter: $0, nowSeconds: nowSeconds) }
        let now = nowMilliseconds
        return state.withLock { state in
            // With a spool each message makes one attempt only: the delays grow from one message to the next.
            let backoff =
                hasSpool
                ? min(retry.delayMilliseconds(attempt: max(1, state.failures)), Self.spoolPauseMilliseconds)
                : retry.delayMilliseconds(attempt: attempt)
            let delay = max(asked ?? 0, backoff)
            // Without one the next message may try at once, unless the collector said when.
            if hasSpool || asked != nil { state.notBefore = max(state.notBefore, now + UInt64(delay)) }
            return (delay, asked ?? 0)
        }
    }
}
