/// Waiting on the loop's own timers: no thread but the loop's takes part.
extension EventLoop {
    /// Suspends the current task without holding a thread. Ends early, throwing, when the task is cancelled.
    /// - Parameter milliseconds: zero or more.
    package func sleep(milliseconds: UInt64) async throws {
        guard isCurrent else { return try await Task.sleep(nanoseconds: milliseconds &* 1_000_000) }
        try Task.checkCancellation()
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                sleeper.begin(self, milliseconds, continuation)
            }
        } onCancel: {
            perform { sleeper.cancel() }
        }
    }
}

/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
private final class Sleeper: @unchecked Sendable {
    private var continuation: CheckedContinuation<Void, any Error>?
    private var timer: LoopTimer?
    private var isCancelled = false

    func begin(_ loop: EventLoop, _ milliseconds: UInt64, _ continuation: CheckedContinuation<Void, any Error>) {
        if isCancelled { return continuation.resume(throwing: CancellationError()) }
        self.continuation = continuation
        timer = loop.schedule(afterMilliseconds: milliseconds) { [self] in
            timer = nil
            take()?.resume()
        }
    }

    func cancel() {
        isCancelled = true
        timer?.cancel()
        timer = nil
        take()?.resume(throwing: CancellationError())
    }

    private func take() -> CheckedContinuation<Void, any Error>? {
        defer { continuation = nil }
        return continuation
    }
}
