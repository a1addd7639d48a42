/// `HTTP-version SP status-code SP [reason-phrase] CRLF` (RFC 9112, section 4).
struct StatusLine {
    var status: HTTPStatus
    var minorVersion: Int

    static let malformed = HTTPParseError.bad("status_line_malformed", "the status line is malformed")

    /// - Parameters:
    ///   - head: ends in an empty line. - position: advanced past the line.
    static func parse(_ head: Span<UInt8>, _ position: inout Int) throws(HTTPParseError) -> StatusLine {
        let minorVersion = try RequestLine.parseVersion(head, &position)
        guard head[position] == 0x20, position + 6 <= head.count else { throw malformed }
        var code = 0
        for offset in 1...3 {
            guard ByteClass.digit.contains(head[position + offset]) else { throw malformed }
            code = code * 10 + Int(head[position + offset] - 0x30)
        }
        position += 4
        // Servers that have no reason to give leave its space out as well; nothing else may follow the code.
        guard (100...599).contains(code), head[position] == 0x20 || head[position] == 0x0D else { throw malformed }
        position = head.indexOfControl(from: position, to: head.count)
        guard head.matches("\r\n", at: position) else { throw malformed }
        position += 2
        return StatusLine(status: HTTPStatus(code), minorVersion: minorVersion)
    }
}
