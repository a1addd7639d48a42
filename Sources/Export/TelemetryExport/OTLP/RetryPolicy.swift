internal import HTTPCodec

/// When a failed export is tried again (OTLP 1.11, section OTLP/HTTP Throttling).
package struct RetryPolicy: Sendable {
    /// Before the second attempt.
    package var initialDelayMilliseconds = 1_000
    /// However many attempts there were.
    package var maxDelayMilliseconds = 30_000
    /// The first attempt included.
    package var maxAttempts = 8
    /// A collector that asks for more patience gets this much.
    package var maxRetryAfterMilliseconds = 300_000

    package init() {}

    /// Exponential with full jitter in the upper half, so that many processes do not come back together.
    /// - Parameter attempt: 1 after the first failure.
    func delayMilliseconds(attempt: Int) -> Int {
        let ceiling = min(maxDelayMilliseconds, initialDelayMilliseconds << min(attempt - 1, 20))
        return ceiling / 2 + Int.random(in: 0...max(1, ceiling / 2))
    }

    /// The wait that a `Retry-After` header asks for: seconds or a date (RFC 9110, section 10.2.3); nil when it is
    /// neither.
    func delayMilliseconds(retryAfter header: String, nowSeconds: Int64) -> Int? {
        let seconds: Int64
        if let number = Int64(header), number >= 0 {
            seconds = number
        } else if let date = HTTPDate.parse(header) {
            seconds = max(0, date - nowSeconds)
        } else {
            return nil
        }
        return Int(min(seconds, Int64(maxRetryAfterMilliseconds / 1_000)) * 1_000)
    }
}
