internal import Telemetry
internal import Values

/// A message to a customer: written down with the event that caused it, sent afterwards.
struct Delivery: Sendable {
    enum State: String, CaseIterable, Sendable {
        case pending = "PENDING"
        case sent = "SENT"
        case failed = "FAILED"
        /// The customer has no address.
        case skipped = "SKIPPED"
    }

    /// Why an attempt failed: what is stored and counted.
    enum Problem: String, Sendable {
        case usersUnavailable = "users_unavailable"
        case userUnknown = "user_unknown"
        case mailRefused = "mail_refused"
        case mailUnavailable = "mail_unavailable"

        /// Whether another attempt is pointless.
        var isFinal: Bool { self == .userUnknown || self == .mailRefused }
    }

    let id: String
    /// Of the event.
    let messageID: String
    let userID: String
    let subject: String
    let text: String
    /// With the one under way.
    let attempts: Int
    let createdAt: Timestamp
    /// Of the event: its trace and request id.
    let context: TelemetryContext
}

/// When to try again, and when to give up.
struct DeliverySchedule: Sendable {
    /// A shop that is down over night still tells its customers in the morning.
    var giveUpSeconds = 86_400.0
    var firstPauseMilliseconds = 2_000
    var maxPauseMilliseconds = 900_000

    /// - Returns: milliseconds until the next attempt; nil to give up.
    func pause(after delivery: Delivery, _ problem: Delivery.Problem, now: Timestamp) -> Int? {
        guard !problem.isFinal, now.seconds(since: delivery.createdAt) < giveUpSeconds else { return nil }
        let doublings = min(max(delivery.attempts - 1, 0), 16)
        let ceiling = min(maxPauseMilliseconds, firstPauseMilliseconds << doublings)
        // Between half and all of it: those that failed together do not come back together.
        return Int.random(in: ceiling / 2...ceiling)
    }
}
