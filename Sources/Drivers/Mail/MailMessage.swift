/// A plain-text message to one person.
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

    /// The message on the wire (RFC 5322), its lines ended by CR LF; text that is not ASCII in base64 (RFC 2045, 2047).
    /// - Parameter date: as RFC 5322 writes it.
    /// - Throws: `MailError.invalidMessage` for fields that would break out of their line.
    func wireForm(date: String) throws(MailError) -> [UInt8] {
        for (name, value) in [("from", from), ("to", to), ("message id", messageID)] {
            guard value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3C && $0 != 0x3E }), value.contains("@")
            else { throw .invalidMessage("the \(name) is not an address") }
        }
        guard subject.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }), subject.utf8.count <= 500
        else { throw .invalidMessage("the subject holds control characters or is too long") }
        let lines = [
            "Date: \(date)", "From: <\(from)>", "To: <\(to)>", "Subject: \(Self.encodedWord(subject))",
            "Message-ID: <\(messageID)>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64", "Auto-Submitted: auto-generated", "",
        ]
        return Array((lines + Self.base64Lines(Array(text.utf8)) + [""]).joined(separator: "\r\n").utf8)
    }

    private static func encodedWord(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        // At most 75 characters a word: cut between characters, a word a line.
        var words: [String] = []
        var part = ""
        for character in text {
            if part.utf8.count + character.utf8.count > 42 {
                words.append(part)
                part = ""
            }
            part.append(character)
        }
        words.append(part)
        return words.map { "=?utf-8?B?\(base64(Array($0.utf8)))?=" }.joined(separator: "\r\n ")
    }

    private static func base64Lines(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 57).map { base64(Array(bytes[$0..<min($0 + 57, bytes.count)])) }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for index in stride(from: 0, to: bytes.count, by: 3) {
            let left = bytes.count - index
            let group =
                UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[index + 2]) : 0)
            for position in 0..<4 {
                text.append(position <= left ? alphabet[Int(group >> UInt32(18 - 6 * position) & 63)] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Why a message was not sent. Descriptions hold no addresses.
package enum MailError: Error, Sendable, Hashable {
    /// An address or subject with CR, LF or no `@`.
    case invalidMessage(String)
    case transport(String)
}
