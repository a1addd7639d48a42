internal import Glibc
internal import Synchronization

/// Where telemetry takes the time from: the system's clocks, or one that a test moves by hand.
package struct TelemetryClock: Sendable {
    private let manual: ManualClock?

    /// `CLOCK_MONOTONIC` and `CLOCK_REALTIME`.
    package static let system = TelemetryClock(manual: nil)

    /// A clock that stands still until the test moves it.
    package static func manual(_ clock: ManualClock) -> TelemetryClock { TelemetryClock(manual: clock) }

    /// Nanoseconds that never go back: for durations and deadlines.
    package func monotonicNanoseconds() -> UInt64 {
        if let manual { return manual.monotonicNanoseconds }
        return read(CLOCK_MONOTONIC)
    }

    /// Nanoseconds since 1970 UTC.
    package func wallNanoseconds() -> UInt64 {
        if let manual { return manual.wallNanoseconds }
        return read(CLOCK_REALTIME)
    }

    /// The wall clock and the monotonic clock at one moment, for the price of one: the wall clock is the monotonic one
    /// plus an offset that each thread looks up ten times a second.
    func bothNanoseconds() -> (wall: UInt64, monotonic: UInt64) {
        if let manual { return (manual.wallNanoseconds, manual.monotonicNanoseconds) }
        let monotonic = read(CLOCK_MONOTONIC)
        return (ThreadState.current.pointee.wallOffset.wall(atMonotonic: monotonic), monotonic)
    }

    private func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Nanoseconds since 1970 UTC to the kernel's tick of a few milliseconds, at a third of the cost.
    static func coarseWallNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}

/// The difference between the two clocks as one thread knows it.
struct WallOffset {
    private var nanoseconds: UInt64 = 0
    private var validUntil: UInt64 = 0

    /// How long a step of the wall clock may go unnoticed.
    private static let validNanoseconds: UInt64 = 100_000_000
    /// Two readings further apart than this were interrupted, and are tried again.
    private static let maxReadingNanoseconds: UInt64 = 20_000
    private static let maxReadings = 3

    @inline(__always)
    mutating func wall(atMonotonic monotonic: UInt64) -> UInt64 {
        if monotonic >= validUntil { look() }
        return monotonic &+ nanoseconds
    }

    @inline(never)
    private mutating func look() {
        let clock = TelemetryClock.system
        for _ in 0..<Self.maxReadings {
            let before = clock.monotonicNanoseconds()
            let wall = clock.wallNanoseconds()
            let after = clock.monotonicNanoseconds()
            nanoseconds = wall &- (before &+ (after &- before) / 2)
            validUntil = after &+ Self.validNanoseconds
            if after &- before < Self.maxReadingNanoseconds { return }
        }
    }
}

/// The hands of a `TelemetryClock` in a test.
package final class ManualClock: Sendable {
    private let monotonic: Atomic<UInt64>
    private let wall: Atomic<UInt64>

    /// - Parameter wallNanoseconds: since 1970 UTC; 2026-01-01T00:00:00Z unless told otherwise.
    package init(wallNanoseconds: UInt64 = 1_767_225_600_000_000_000) {
        monotonic = Atomic(1_000_000_000)
        wall = Atomic(wallNanoseconds)
    }

    package var monotonicNanoseconds: UInt64 { monotonic.load(ordering: .relaxed) }
    package var wallNanoseconds: UInt64 { wall.load(ordering: .relaxed) }

    /// Lets time pass on both hands.
    package func advance(nanoseconds: UInt64) {
        monotonic.wrappingAdd(nanoseconds, ordering: .relaxed)
        wall.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// Sets the wall clock only, as an administrator or NTP would.
    package func stepWall(toNanoseconds nanoseconds: UInt64) { wall.store(nanoseconds, ordering: .relaxed) }
}
