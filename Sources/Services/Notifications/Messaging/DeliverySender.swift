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
    let telegram: TelegramClient?
    let from: String
    /// Where the people on call read e-mail.
    let onCall: String
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
    }

    /// Apart from sending: while a mail server is away there is always something due, and sending does not come to its
    /// end just when people must see how much waits.
    func measure() async throws { telemetry.pending.set(Double(try await deliveries.countPending())) }

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
            switch (delivery.kind, delivery.channel) {
            case (.alert, .telegram): try await sendTelegram(delivery)
            case (.alert, .email): try await sendMail(delivery, to: onCall, text: delivery.text)
            case (.order, _):
                guard try await sendToCustomer(delivery) else {
                    try await deliveries.settle(delivery.id, .skipped)
                    telemetry.noteSkipped(delivery)
                    return nil
                }
            }
            try await deliveries.settle(delivery.id, .sent)
            telemetry.noteSent(delivery, seconds: Timestamp.now().seconds(since: delivery.createdAt))
            return nil
        } catch let error as ServiceCallError {
            return try await failed(
                delivery, error.status == .notFound ? .userUnknown : .usersUnavailable, error.message)
        } catch let error as MailError {
            switch error {
            case .invalidMessage(let what): return try await failed(delivery, .mailRefused, what)
            case .transport(let what): return try await failed(delivery, .mailUnavailable, what)
            }
        } catch let error as TelegramError {
            switch error {
            case .limited(let seconds):
                return try await failed(delivery, .telegramLimited, error.description, atLeast: seconds)
            case .refused: return try await failed(delivery, .telegramRefused, error.description)
            case .unavailable: return try await failed(delivery, .telegramUnavailable, error.description)
            }
        }
    }

    /// - Returns: false when the customer has no address.
    private func sendToCustomer(_ delivery: Delivery) async throws -> Bool {
        let contact: UserContact = try await services.get(
            "users", "/internal/users/\(delivery.userID)/contact", template: "/internal/users/{id}/contact",
            as: .service)
        guard let address = contact.email else { return false }
        try await sendMail(delivery, to: address, text: StatusLetter.greeted(delivery.text, name: contact.name))
        return true
    }

    private func sendMail(_ delivery: Delivery, to address: String, text: String) async throws {
        try await mail.send(
            MailMessage(
                messageID: "\(delivery.messageID)@\(Self.messageDomain)", from: from, to: address,
                subject: delivery.subject, text: text))
    }

    private func sendTelegram(_ delivery: Delivery) async throws {
        // Written down while there was a bot; it comes back with the configuration, or is given up after a day.
        guard let telegram else { throw TelegramError.unavailable("no bot is configured (TELEGRAM_BOT_TOKEN)") }
        try await telegram.send(delivery.subject + "\n\n" + delivery.text)
    }

    private func failed(
        _ delivery: Delivery, _ problem: Delivery.Problem, _ what: String, atLeast seconds: Int = 0
    ) async throws -> Delivery.Problem {
        if let milliseconds = schedule.pause(after: delivery, problem, atLeast: seconds, now: .now()) {
            try await deliveries.postpone(delivery.id, milliseconds: milliseconds, problem)
            telemetry.noteRetry(delivery, problem, what)
        } else {
            try await deliveries.settle(delivery.id, .failed, problem)
            telemetry.noteFailed(delivery, problem, what)
        }
        return problem
    }
}
