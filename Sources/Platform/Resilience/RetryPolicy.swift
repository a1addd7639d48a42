internal import Telemetry

/// Repeats what failed for a moment: few attempts, growing pauses with full jitter, within a budget shared by all
/// callers, and never past the deadline of the request.
///
/// Only for what may be repeated: idempotent calls, or ones with an idempotency key.
package struct RetryPolicy: Sendable, Hashable {
    /// The first one included; 1 means no retries.
    package var maxAttempts = 3
    /// The longest pause before the first retry; it doubles with each.
    package var baseMilliseconds = 100
    package var capMilliseconds = 10_000

    package init() {}

    /// How long to pause before attempt number `failed + 1`, or nil when there is no more.
    /// - Parameters:
    ///   - failed: attempts so far, 1 or more.
    ///   - now: monotonic nanoseconds. - deadline: on the same clock; nil for none.
    func pauseMilliseconds(
        afterFailed failed: Int, budget: RetryBudget?, now: UInt64, deadline: UInt64?
    ) -> Int? {
        guard failed < maxAttempts else { return nil }
        let pause = Backoff.milliseconds(attempt: failed, base: baseMilliseconds, cap: capMilliseconds)
        // An answer that comes after everybody has left is of no use.
        if let deadline, now &+ UInt64(pause) &* 1_000_000 >= deadline { return nil }
        guard budget?.withdraw() ?? true else { return nil }
        return pause
    }

    /// Runs `operation`, and again while it fails with what `isTransient` accepts. Cancellation is never repeated.
    /// - Parameters:
    ///   - budget: shared by the calls to one destination; nil for none.
    ///   - failure: of a first attempt that was made before, and counted in the budget; nil when there was none.
    ///   - operation: is told the number of the attempt, from 1.
    /// - Throws: the error of the last attempt, or `CancellationError` when the task is cancelled during a pause.
    package func run<T>(
        budget: RetryBudget? = nil, isTransient: (any Error) -> Bool, after failure: (any Error)? = nil,
        _ operation: (_ attempt: Int) async throws -> T
    ) async throws -> T {
        if failure == nil { budget?.deposit() }
        var failure = failure
        var attempt = 1
        while true {
            do {
                if let known = failure {
                    failure = nil
                    throw known
                }
                return try await operation(attempt)
            } catch {
                guard !(error is CancellationError), isTransient(error),
                    let pause = pauseMilliseconds(
                        afterFailed: attempt, budget: budget, now: TelemetryClock.system.monotonicNanoseconds(),
                        deadline: TelemetryContext.current.deadline)
                else { throw error }
                try await Task.sleep(nanoseconds: UInt64(pause) * 1_000_000)
                attempt += 1
            }
        }
    }
}
