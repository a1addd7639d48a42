internal import Glibc

/// Writes a message as it goes over the wire (RFC 5322, RFC 2045, RFC 2047): CRLF lines of at most 998 bytes, headers
/// in ASCII, the body as it is when it is ASCII and quoted-printable otherwise.
enum MailFormat {
    /// RFC 5322, section 2.1.1, without the CRLF.
    private static let maxLineBytes = 998
    private static let maxSubjectBytes = 2_000
    private static let maxTextBytes = 1 << 20
    private static let maxMessageIDBytes = 200

    /// - Parameter seconds: since 1970.
    /// - Throws: `MailError.invalidMessage`.
    static func write(_ message: MailMessage, from: MailAddress, to: MailAddress, seconds: Int) throws(MailError)
        -> [UInt8]
    {
        guard isOneLine(message.subject), message.subject.utf8.count <= maxSubjectBytes else {
            throw .invalidMessage("the subject is longer than \(maxSubjectBytes) bytes or has control characters")
        }
        guard message.text.utf8.count <= maxTextBytes, !message.text.utf8.contains(0) else {
            throw .invalidMessage("the text is longer than \(maxTextBytes) bytes or has a NUL")
        }
        let body = Array(lines(message.text))
        let isPlain = body.allSatisfy { $0 < 0x80 } && hasShortLines(body)
        var head = ""
        head += "Date: \(date(seconds))\r\n"
        head += "From: \(mailbox(from))\r\n"
        head += "To: \(mailbox(to))\r\n"
        head += "Message-ID: <\(try messageID(message.messageID, domain: from.domain))>\r\n"
        head += "Subject: \(unstructured(message.subject, firstLineUsed: "Subject: ".utf8.count))\r\n"
        head += "MIME-Version: 1.0\r\n"
        head += "Content-Type: text/plain; charset=utf-8\r\n"
        head += "Content-Transfer-Encoding: \(isPlain ? "7bit" : "quoted-printable")\r\n"
        // No vacation responder answers a machine (RFC 3834).
        head += "Auto-Submitted: auto-generated\r\n\r\n"
        return Array(head.utf8) + (isPlain ? body : QuotedPrintable.encode(body))
    }

    /// Without control characters, so that it can stand in a header.
    static func isOneLine(_ text: some StringProtocol) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
            && !text.unicodeScalars.contains { $0 == "\u{2028}" || $0 == "\u{2029}" }
    }

    /// The id as `left@right`; one without an `@` gets the sender's domain.
    private static func messageID(_ id: String, domain: Substring) throws(MailError) -> String {
        let full = id.contains("@") ? id : "\(id)@\(domain)"
        let isValid = full.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3C && $0 != 0x3E }
        guard isValid, !id.isEmpty, full.utf8.count <= maxMessageIDBytes else {
            throw .invalidMessage("the message id is empty, too long, or has spaces, angle brackets or non-ASCII")
        }
        return full
    }

    private static func mailbox(_ address: MailAddress) -> String {
        if address.name.isEmpty { return address.address }
        let isPlain = address.name.utf8.allSatisfy {
            $0 == 0x20 || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        }
        let name = isPlain ? address.name : EncodedWord.encode(address.name, firstLineUsed: 6)
        return "\(name) <\(address.address)>"
    }

    private static func unstructured(_ text: String, firstLineUsed: Int) -> String {
        // What looks like an encoded word is encoded too, or it would be read as one.
        let isPlain = text.utf8.allSatisfy { $0 < 0x80 } && text.utf8.count <= 200 && !text.contains("=?")
        return isPlain ? text : EncodedWord.encode(text, firstLineUsed: firstLineUsed)
    }

    /// Every line end as CRLF, and one at the end.
    private static func lines(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count + 64)
        var previous: UInt8 = 0
        for byte in text.utf8 {
            switch byte {
            case 0x0A where previous == 0x0D: break
            case 0x0A, 0x0D: result += [0x0D, 0x0A]
            default: result.append(byte)
            }
            previous = byte
        }
        if !result.isEmpty, result.last != 0x0A { result += [0x0D, 0x0A] }
        return result
    }

    private static func hasShortLines(_ body: [UInt8]) -> Bool {
        body.split(separator: 0x0A).allSatisfy { $0.count <= maxLineBytes + 1 }
    }

    /// RFC 5322, section 3.3, in UTC.
    private static func date(_ seconds: Int) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
    }
}

/// Text of any script in a header (RFC 2047): base64 words of at most 75 characters, cut between characters, one a line.
enum EncodedWord {
    private static let prefix = "=?utf-8?B?"
    /// 75 less the frame leaves 63 characters of base64: 45 bytes.
    private static let maxBytes = 45
    private static let maxLine = 76

    static func encode(_ text: String, firstLineUsed: Int) -> String {
        var words: [String] = []
        var room = max(3, min(maxBytes, (maxLine - firstLineUsed - prefix.utf8.count - 2) / 4 * 3))
        var chunk: [UInt8] = []
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if chunk.count + bytes.count > room, !chunk.isEmpty {
                words.append(word(chunk))
                chunk = []
                room = maxBytes
            }
            chunk += bytes
        }
        if !chunk.isEmpty { words.append(word(chunk)) }
        return words.joined(separator: "\r\n ")
    }

    private static func word(_ bytes: [UInt8]) -> String { prefix + base64(bytes) + "?=" }

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

/// Quoted-printable (RFC 2045, section 6.7): lines of at most 76 characters.
enum QuotedPrintable {
    private static let maxLine = 76

    /// - Parameter body: lines that end in CRLF.
    static func encode(_ body: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(body.count * 2)
        var column = 0
        for (index, byte) in body.enumerated() {
            if byte == 0x0D || byte == 0x0A {
                result.append(byte)
                column = 0
                continue
            }
            let isAtLineEnd = index + 1 == body.count || body[index + 1] == 0x0D
            let isBlank = byte == 0x20 || byte == 0x09
            let isLiteral = ((0x21...0x7E).contains(byte) && byte != 0x3D) || (isBlank && !isAtLineEnd)
            let width = isLiteral ? 1 : 3
            // A soft line break needs the last column.
            if column + width > maxLine - (isAtLineEnd ? 0 : 1) {
                result += [0x3D, 0x0D, 0x0A]
                column = 0
            }
            if isLiteral {
                result.append(byte)
            } else {
                result += [0x3D, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
            column += width
        }
        return result
    }
}
