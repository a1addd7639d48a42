internal import HTTP
internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Telemetry

/// Where Alertmanager posts what fires and what is over. Whoever knows the token of the configuration may post; an
/// answer of 200 means that it is written down, and everything that is told twice is taken once.
struct AlertRoutes: Sendable {
    let events: AlertEvents
    let channels: [Delivery.Channel]
    let telemetry: NotificationsTelemetry
    /// What the bearer must say.
    private let expected: [UInt8]

    static let path = "/alerts/v4"
    /// A hundred alerts with every annotation are a fifth of it.
    static let maxBodyBytes = 1024 * 1024

    init(events: AlertEvents, channels: [Delivery.Channel], token: String, telemetry: NotificationsTelemetry) {
        self.events = events
        self.channels = channels
        self.telemetry = telemetry
        expected = Crypto.sha256(Array("Bearer \(token)".utf8))
    }

    private struct Receipt: Encodable {
        let received: Int
        let new: Int
    }

    @Sendable func receive(_ request: Request) async throws -> HTTPResponse {
        let given = request.header("authorization") ?? ""
        // Digests are equally long, whatever was sent.
        guard Crypto.constantTimeEquals(Crypto.sha256(Array(given.utf8)), expected) else {
            var error = HTTPError(
                .unauthorized, "token_invalid", "send the token of NOTIFICATIONS_ALERTS_TOKEN as a bearer")
            error.headers.append(("www-authenticate", "Bearer"))
            throw error
        }
        let message = try await request.json(AlertMessage.self)
        if let (field, what) = message.problem {
            throw HTTPError.invalid(["body", field], what, type: "value_error")
        }
        let new = try await events.receive(message, channels: channels)
        telemetry.noteAlerts(new, duplicates: message.alerts.count - new.count)
        return try .json(Receipt(received: message.alerts.count, new: new.count))
    }
}
