internal import Configuration
internal import Mail

/// Settings of notifications.
struct NotificationsConfiguration: Sendable {
    /// `SMTP_URL` with `SMTP_USERNAME` and `SMTP_PASSWORD`; without it, e-mail goes into the folder
    /// `NOTIFICATIONS_MAILBOX` (`.vitrine/mailbox`).
    let transport: MailClient.Transport
    /// `NOTIFICATIONS_FROM`: the sender's address; `Vitrine <shop@vitrine.local>`.
    let from: String
    /// `NOTIFICATIONS_RETRY_MS`: the pause before the second attempt; it doubles with each. 10 to 60,000; 2,000.
    let retryMilliseconds: Int

    /// `NOTIFICATIONS_ALERTS_TOKEN`: what Alertmanager shows as a bearer, 32 bytes or more; without it there is no
    /// webhook.
    let alertsToken: String?
    /// `NOTIFICATIONS_ALERTS_EMAIL`: where the people on call read e-mail; `On call <oncall@vitrine.local>`.
    let onCall: String
    /// `TELEGRAM_BOT_TOKEN` (a secret), `TELEGRAM_CHAT_ID` and `TELEGRAM_API_URL` (`https://api.telegram.org`): the
    /// chat of the people on call; none without them.
    let telegram: TelegramClient.Configuration?

    private static let minTokenBytes = 32

    init(_ reader: ConfigurationReader) {
        from = reader.string("NOTIFICATIONS_FROM", default: "Vitrine <shop@vitrine.local>")
        if !from.contains("@") { reader.report("NOTIFICATIONS_FROM is '\(from)': expected an e-mail address") }
        retryMilliseconds = reader.int("NOTIFICATIONS_RETRY_MS", default: 2_000, in: 10...60_000)
        onCall = reader.string("NOTIFICATIONS_ALERTS_EMAIL", default: "On call <oncall@vitrine.local>")
        if !onCall.contains("@") {
            reader.report("NOTIFICATIONS_ALERTS_EMAIL is '\(onCall)': expected an e-mail address")
        }
        alertsToken =
            reader.optionalString("NOTIFICATIONS_ALERTS_TOKEN") == nil
            ? nil : reader.secret("NOTIFICATIONS_ALERTS_TOKEN", minimumBytes: Self.minTokenBytes)
        telegram = Self.telegram(reader)
        if let url = reader.optionalString("SMTP_URL") {
            if !url.hasPrefix("smtp://"), !url.hasPrefix("smtps://") {
                // Not shown: it may hold a password.
                reader.report("SMTP_URL is not a URL of the form smtp://host:port or smtps://host:port")
            }
            transport = .smtp(
                url: url, username: reader.optionalString("SMTP_USERNAME"),
                password: reader.optionalString("SMTP_PASSWORD"))
        } else {
            transport = .mailbox(folder: reader.string("NOTIFICATIONS_MAILBOX", default: ".vitrine/mailbox"))
        }
    }

    private static func telegram(_ reader: ConfigurationReader) -> TelegramClient.Configuration? {
        let url = reader.string("TELEGRAM_API_URL", default: "https://api.telegram.org")
        guard let token = reader.optionalString("TELEGRAM_BOT_TOKEN") else { return nil }
        guard let chat = reader.optionalString("TELEGRAM_CHAT_ID") else {
            reader.report("TELEGRAM_CHAT_ID is not set: expected the chat that TELEGRAM_BOT_TOKEN's bot writes to")
            return nil
        }
        // A bot's token is digits, a colon, letters: anything else would change the address that it becomes part of.
        if token.contains(where: { !$0.isASCII || !($0.isLetter || $0.isNumber || ":_-".contains($0)) }) {
            reader.report("TELEGRAM_BOT_TOKEN is not of the form 123456:letters-and-digits")
        }
        let isLocal = ["http://127.0.0.1", "http://localhost", "http://[::1]"].contains { url.hasPrefix($0) }
        if !url.hasPrefix("https://"), !isLocal {
            reader.report("TELEGRAM_API_URL must begin with https:// (or be on this machine): the token is part of it")
        }
        return TelegramClient.Configuration(baseURL: url, token: token, chat: chat)
    }
}
