internal import Synchronization

/// Waits for work that may never end.
enum Deadline {
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
