package import EventLoop
package import Telemetry

/// Sends e-mail: by SMTP through libcurl, or into a folder of `.eml` files for local work.
package final class MailClient: Sendable {
    package enum Transport: Sendable {
        /// `smtp://host:port` or `smtps://…`, with optional credentials.
        case smtp(url: String, username: String?, password: String?)
        /// Each message becomes one file, named by time and message id, written to a temporary name and renamed.
        case mailbox(folder: String)
    }

    package init(transport: Transport, workers: WorkerPool, telemetry: Telemetry) { fatalError("skeleton") }

    /// - Throws: `MailError`; then the message may be tried again.
    package func send(_ message: MailMessage) async throws { fatalError("skeleton") }
}

package struct MailMessage: Sendable {
    /// Globally unique, without angle brackets: sending the same one again is recognised by receivers.
    package var messageID: String
    package var from: String
    package var to: String
    package var subject: String
    package var text: String
    package init(messageID: String, from: String, to: String, subject: String, text: String) {
        self.messageID = messageID
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
    }
}

package enum MailError: Error, Sendable {
    /// An address or subject with CR, LF or no `@`.
    case invalidMessage(String)
    case transport(String)
}
