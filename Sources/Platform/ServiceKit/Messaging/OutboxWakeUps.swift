internal import Synchronization
internal import Telemetry

/// Decides which transactions wake the relay. PostgreSQL commits transactions that notify one after the other (a lock on
/// the queue of notifications), which costs a busy service four fifths of its commits: so one notification wakes the
/// relay for all events of a moment, and the relay keeps looking for a while after it has found some.
final class OutboxWakeUps: Sendable {
    /// One notification in this time; less than the relay goes on looking (`OutboxRelay.lingerMilliseconds`).
    static let intervalNanoseconds: UInt64 = 50_000_000

    private let last = Atomic<UInt64>(0)

    /// Whether the caller should notify.
    func isDue() -> Bool {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let before = last.load(ordering: .relaxed)
        guard now &- before >= Self.intervalNanoseconds else { return false }
        return last.compareExchange(expected: before, desired: now, ordering: .relaxed).exchanged
    }
}
