internal import Configuration
internal import Mail

/// Settings of notifications.
struct NotificationsConfiguration: Sendable {
    /// `SMTP_URL` with `SMTP_USERNAME` and `SMTP_PASSWORD`; without it, e-mail goes into the folder
    /// `NOTIFICATIONS_MAILBOX` (`.vitrine/mailbox`).
    let transport: MailClient.Transport
    /// `NOTIFICATIONS_FROM`: the sender's address.
    let from: String

    init(_ reader: ConfigurationReader) {
        from = reader.string("NOTIFICATIONS_FROM", default: "shop@vitrine.local")
        if let url = reader.optionalString("SMTP_URL") {
            if !url.hasPrefix("smtp://"), !url.hasPrefix("smtps://") {
                reader.report("SMTP_URL is not an smtp:// or smtps:// URL")
            }
            transport = .smtp(
                url: url, username: reader.optionalString("SMTP_USERNAME"),
                password: reader.optionalString("SMTP_PASSWORD"))
        } else {
            transport = .mailbox(folder: reader.string("NOTIFICATIONS_MAILBOX", default: ".vitrine/mailbox"))
        }
    }
}
