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

    init(_ reader: ConfigurationReader) {
        from = reader.string("NOTIFICATIONS_FROM", default: "Vitrine <shop@vitrine.local>")
        if !from.contains("@") { reader.report("NOTIFICATIONS_FROM is '\(from)': expected an e-mail address") }
        retryMilliseconds = reader.int("NOTIFICATIONS_RETRY_MS", default: 2_000, in: 10...60_000)
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
}
