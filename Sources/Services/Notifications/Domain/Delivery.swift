internal import Telemetry
internal import Values

/// A message to a customer or to the people on call: written down with the event that caused it, sent afterwards.
struct Delivery: Sendable {
    /// What it is about, and with that to whom it goes.
    enum Kind: String, Sendable {
        /// To the customer of an order.
        case order
        /// To the people on call.
        case alert
    }

    enum Channel: String, CaseIterable, Sendable { case email, telegram }

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
        case telegramRefused = "telegram_refused"
        case telegramUnavailable = "telegram_unavailable"
        /// Too many messages: the server says when to come back.
        case telegramLimited = "telegram_limited"

        /// Whether another attempt is pointless.
        var isFinal: Bool { [.userUnknown, .mailRefused, .telegramRefused].contains(self) }
    }

    let id: String
    let kind: Kind
    let channel: Channel
    /// Of the event.
    let messageID: String
    /// Empty when it goes to the people on call.
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

    /// - Parameter atLeast: seconds that the other side asks for.
    /// - Returns: milliseconds until the next attempt; nil to give up.
    func pause(
        after delivery: Delivery, _ problem: Delivery.Problem, atLeast seconds: Int = 0, now: Timestamp
    ) -> Int? {
        guard !problem.isFinal, now.seconds(since: delivery.createdAt) < giveUpSeconds else { return nil }
        let doublings = min(max(delivery.attempts - 1, 0), 16)
        let ceiling = min(maxPauseMilliseconds, firstPauseMilliseconds << doublings)
        // Between half and all of it: those that failed together do not come back together.
        return max(seconds * 1_000, Int.random(in: ceiling / 2...ceiling))
    }
}
