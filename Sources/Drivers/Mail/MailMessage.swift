/// One message of plain text to one person.
package struct MailMessage: Sendable {
    /// Globally unique, without angle brackets: sending the same one again is recognised by receivers.
    package var messageID: String
    /// `shop@example.org` or `The shop <shop@example.org>`.
    package var from: String
    /// `ann@example.org` or `Ann <ann@example.org>`.
    package var to: String
    package var subject: String
    /// Lines may end in LF or CRLF.
    package var text: String
    package init(messageID: String, from: String, to: String, subject: String, text: String) {
        self.messageID = messageID
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
    }
}

/// Why a message was not sent. The texts name no address: they may be logged.
package enum MailError: Error, Sendable, Hashable, CustomStringConvertible {
    /// An address, message id or subject with control characters or of a wrong form, or a message that the server
    /// refused for good (5xx): trying it again is pointless.
    case invalidMessage(String)
    /// The server or the folder could not be reached or refused for now: the message may be tried again.
    case transport(String)

    package var description: String {
        switch self {
        case .invalidMessage(let what): "the message cannot be sent: \(what)"
        case .transport(let what): "the message was not sent: \(what)"
        }
    }
}
