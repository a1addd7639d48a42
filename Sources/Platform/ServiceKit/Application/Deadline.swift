internal import Synchronization

/// Waits for work, but not for ever: what does not end in time is left behind, cancelled.
enum Deadline {
    /// - Returns: whether the work ended in time.
    static func run(seconds: Int, _ body: @escaping @Sendable () async -> Void) async -> Bool {
        let work = Task { await body() }
        let inTime = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            let answer = Answer(continuation)
            let timer = Task {
                try? await Task.sleep(nanoseconds: UInt64(seconds) * 1_000_000_000)
                answer.give(false)
            }
            Task {
                await work.value
                answer.give(true)
                timer.cancel()
            }
        }
        if !inTime { work.cancel() }
        return inTime
    }

    private final class Answer: Sendable {
        private let continuation: Mutex<CheckedContinuation<Bool, Never>?>

        init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = Mutex(continuation) }

        func give(_ value: Bool) {
            let waiting = continuation.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            waiting?.resume(returning: value)
        }
    }
}
