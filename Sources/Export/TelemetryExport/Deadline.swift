internal import Synchronization
internal import Telemetry

/// The end of the time that something has, and the wait for work that may never end.
struct Deadline: Sendable {
    private let monotonicNanoseconds: UInt64

    /// - Parameter milliseconds: from now; negative counts as zero.
    init(milliseconds: Int) {
        monotonicNanoseconds =
            TelemetryClock.system.monotonicNanoseconds() &+ UInt64(max(0, milliseconds)) &* 1_000_000
    }

    /// Zero once it has passed.
    var millisecondsLeft: Int {
        let now = TelemetryClock.system.monotonicNanoseconds()
        return now < monotonicNanoseconds ? Int((monotonicNanoseconds - now) / 1_000_000) : 0
    }

    /// Returns when `work` has ended or the time is up, whichever comes first; `work` itself goes on.
    static func race(milliseconds: Int, _ work: @escaping @Sendable () async -> Void) async {
        await withCheckedContinuation { continuation in
            let once = Once(continuation)
            Task {
                await work(); once.resume()
            }
            Task {
                try? await Task.sleep(nanoseconds: UInt64(max(0, milliseconds)) * 1_000_000)
                once.resume()
            }
        }
    }

    private final class Once: Sendable {
        private let continuation: Mutex<CheckedContinuation<Void, Never>?>
        init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = Mutex(continuation) }
        func resume() {
            let waiting = continuation.withLock { continuation in
                let waiting = continuation
                continuation = nil
                return waiting
            }
            waiting?.resume()
        }
    }
}
