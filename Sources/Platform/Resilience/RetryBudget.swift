internal import Synchronization

/// Keeps retries a small share of the requests: when everything fails, repeating everything only makes it worse.
package final class RetryBudget: Sendable {
    private let share: Double
    private let maxSaved: Double
    private let saved: Mutex<Double>

    /// - Parameters:
    ///   - share: retries per request in the long run, above 0.
    ///   - maxSaved: retries that a quiet time saves up, 1 or more; the budget starts with so many.
    package init(share: Double = 0.1, maxSaved: Double = 10) {
        precondition(share > 0 && maxSaved >= 1)
        self.share = share
        self.maxSaved = maxSaved
        saved = Mutex(maxSaved)
    }

    /// Counts a first attempt.
    package func deposit() { saved.withLock { $0 = min($0 + share, maxSaved) } }

    /// Whether one more retry may be made; a true answer uses it up.
    package func withdraw() -> Bool {
        saved.withLock { saved in
            // A sum of tenths is a hair below the whole.
            guard saved >= 1 - 1e-9 else { return false }
            saved = max(0, saved - 1)
            return true
        }
    }
}
