internal import Synchronization

/// Keeps retries a small share of the requests: when everything fails, repeating everything only makes it worse.
final class RetryBudget: Sendable {
    /// Retries per request, in the long run.
    private static let share = 0.1
    /// Retries that a quiet time saves up.
    private static let maxSaved = 10.0

    private let saved = Mutex(maxSaved)

    /// Counts a first attempt.
    func deposit() { saved.withLock { $0 = min($0 + Self.share, Self.maxSaved) } }

    /// Whether one more retry may be made.
    func withdraw() -> Bool {
        saved.withLock { saved in
            guard saved >= 1 else { return false }
            saved -= 1
            return true
        }
    }
}
