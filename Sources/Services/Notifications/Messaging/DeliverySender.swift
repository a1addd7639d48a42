internal import HTTPCodec
internal import Mail
internal import ServiceKit
internal import Telemetry
internal import UsersContracts
internal import Values

/// Sends what waits: at least once, with a Message-ID that receivers recognise when it comes twice. What fails is tried
/// again later and later, for a day.
struct DeliverySender: Sendable {
    let deliveries: DeliveryRepository
    let services: ServiceClient
    let mail: MailClient
    let from: String
    let schedule: DeliverySchedule
    let telemetry: NotificationsTelemetry
    let tracer: Tracer

    /// Messages under way at a time; as many threads wait for the mail server.
    static let concurrency = 4
    /// Longer than an attempt can take: address and mail server both slow.
    private static let leaseSeconds = 120
    private static let messageDomain = "vitrine.local"

    /// Sends everything that is due.
    func sendDue() async throws {
        while true {
            try Task.checkCancellation()
            let due = try await deliveries.take(upTo: Self.concurrency, leaseSeconds: Self.leaseSeconds)
            guard !due.isEmpty else { break }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for delivery in due { group.addTask { try await self.sendTraced(delivery) } }
                try await group.waitForAll()
            }
        }
        telemetry.pending.set(Double(try await deliveries.countPending()))
    }

    /// Sending belongs to the trace of the event, however much later it happens.
    private func sendTraced(_ delivery: Delivery) async throws {
        try await TelemetryContext.$current.withValue(delivery.context) {
            try await tracer.withSpan(NotificationsTelemetry.sending.name) { span in
                if let problem = try await send(delivery) { span.recordError(type: problem.rawValue) }
            }
        }
    }

    /// - Returns: what went wrong, when something did.
    private func send(_ delivery: Delivery) async throws -> Delivery.Problem? {
        do {
            let contact: UserContact = try await services.get(
                "users", "/internal/users/\(delivery.userID)/contact", template: "/internal/users/{id}/contact",
                as: .service)
            guard let address = contact.email else {
                try await deliveries.settle(delivery.id, .skipped)
                telemetry.noteSkipped(delivery.id)
                return nil
            }
            try await mail.send(
                MailMessage(
                    messageID: "\(delivery.messageID)@\(Self.messageDomain)", from: from, to: address,
                    subject: delivery.subject, text: StatusLetter.greeted(delivery.text, name: contact.name)))
            try await deliveries.settle(delivery.id, .sent)
            telemetry.noteSent(delivery.id, seconds: Timestamp.now().seconds(since: delivery.createdAt))
            return nil
        } catch let error as ServiceCallError {
            return try await failed(
                delivery, error.status == .notFound ? .userUnknown : .usersUnavailable, error.message)
        } catch let error as MailError {
            switch error {
            case .invalidMessage(let what): return try await failed(delivery, .mailRefused, what)
            case .transport(let what): return try await failed(delivery, .mailUnavailable, what)
            }
        }
    }

    private func failed(_ delivery: Delivery, _ problem: Delivery.Problem, _ what: String) async throws
        -> Delivery.Problem
    {
        if let milliseconds = schedule.pause(after: delivery, problem, now: .now()) {
            try await deliveries.postpone(delivery.id, milliseconds: milliseconds, problem)
            telemetry.noteRetry(delivery.id, problem, what)
        } else {
            try await deliveries.settle(delivery.id, .failed, problem)
            telemetry.noteFailed(delivery.id, problem, what)
        }
        return problem
    }
}
