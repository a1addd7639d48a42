internal import Synchronization
internal import Telemetry

/// What one collector has shown to take: how large its requests may be, and whether it is asked at all. Its sender writes
/// it down, and whoever makes messages asks it before; any thread.
final class CollectorAppetite: Sendable {
    private struct State {
        var limit = BatchLimit()
        var breaker = RefusalBreaker()
    }

    private let state = Mutex(State())
    private let clock = TelemetryClock.system

    private var nowMilliseconds: UInt64 { clock.monotonicNanoseconds() / 1_000_000 }

    /// Whether it refuses everything.
    var isExhausted: Bool { state.withLock { $0.breaker.isOpen } }

    /// Whether nothing need be encoded for it now, because it has refused so much.
    var isPausing: Bool {
        let now = nowMilliseconds
        return state.withLock { $0.breaker.isPausing(at: now) }
    }

    /// Why it refused what it refused last.
    var errorType: String { state.withLock { $0.breaker.errorType } }

    /// Whether a request may be sent now.
    func admitsRequest() -> Bool {
        let now = nowMilliseconds
        return state.withLock { $0.breaker.admits(at: now) }
    }

    /// The limit, when a request of so many bytes before compression is beyond it.
    func limit(exceededBy byteCount: Int) -> Int? {
        state.withLock { $0.limit.allows(byteCount) ? nil : $0.limit.bytes }
    }

    func took(_ byteCount: Int) {
        state.withLock { state in
            if state.breaker.isOpen { state.limit.forgetRefusals() }
            state.breaker.taken()
            state.limit.taken(byteCount)
        }
    }

    /// The collector refused a request for good.
    func refused(_ errorType: String) {
        let now = nowMilliseconds
        state.withLock { $0.breaker.refused(errorType, at: now) }
    }

    /// The collector found a request too large.
    /// - Parameter canBeCut: whether it had more than one item.
    func foundTooLarge(_ byteCount: Int, canBeCut: Bool, _ errorType: String) {
        state.withLock { $0.limit.refused(byteCount) }
        // Who does not take so little takes nothing.
        if !canBeCut || byteCount <= BatchLimit.floorBytes { refused(errorType) }
    }
}
