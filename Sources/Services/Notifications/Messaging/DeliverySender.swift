internal import HTTPCodec
internal import Mail
internal import Resilience
internal import ServiceKit
internal import Telemetry
internal import UsersContracts
internal import Values

/// Sends what waits: at least once, with a Message-ID that receivers recognise when it comes twice.
struct DeliverySender: Sendable {
    let deliveries: DeliveryRepository
    let services: ServiceClient
    let mail: MailClient
    let from: String
    let telemetry: NotificationsTelemetry

    private static let maxAttempts = 8
    private static let leaseSeconds = 60

    /// Sends everything that is due.
    func sendDue() async throws {
        while let delivery = try await deliveries.take(leaseSeconds: Self.leaseSeconds) {
            try Task.checkCancellation()
            try await send(delivery)
        }
        telemetry.pending.set(Double(try await deliveries.countPending()))
    }

    private func send(_ delivery: Delivery) async throws {
        do {
            let contact: UserContact = try await services.get(
                "users", "/internal/users/\(delivery.userID)/contact", template: "/internal/users/{id}/contact",
                as: .service)
            guard let address = contact.email else {
                try await deliveries.settle(delivery.id, "SKIPPED")
                telemetry.noteSkipped()
                return
            }
            try await mail.send(
                MailMessage(
                    messageID: "\(delivery.messageID)@vitrine.local", from: from, to: address,
                    subject: delivery.subject, text: delivery.text))
            try await deliveries.settle(delivery.id, "SENT")
            telemetry.noteSent(delivery.id, seconds: Timestamp.now().seconds(since: delivery.createdAt))
        } catch let error as ServiceCallError {
            try await failed(delivery, isFinal: error.status == .notFound, "users: \(error.message)")
        } catch let error as MailError {
            switch error {
            case .invalidMessage: try await failed(delivery, isFinal: true, "the message is not valid")
            case .transport(let what): try await failed(delivery, isFinal: false, what)
            }
        }
    }

    private func failed(_ delivery: Delivery, isFinal: Bool, _ reason: String) async throws {
        let isOver = isFinal || delivery.attempts >= Self.maxAttempts
        if isOver {
            try await deliveries.settle(delivery.id, "FAILED")
        } else {
            try await deliveries.postpone(
                delivery.id,
                milliseconds: 1_000 + Backoff.milliseconds(attempt: delivery.attempts, base: 2_000, cap: 600_000))
        }
        telemetry.noteFailed(delivery.id, isFinal: isOver, reason)
    }
}
