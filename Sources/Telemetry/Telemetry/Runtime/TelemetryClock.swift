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
