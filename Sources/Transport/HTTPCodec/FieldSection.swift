/// The header fields of a head, with what they say about framing (RFC 9112, sections 5 and 6).
struct FieldSection {
    var fields = HTTPFields()
    var hostCount = 0
    var expectsContinue = false
    private var contentLength: Int?
    private var hasTransferEncoding = false
    private var saysClose = false
    private var saysKeepAlive = false

    /// Average line length that room is made for at first.
    private static let usualLineBytes = 32

    /// Reads every field up to the empty line.
    /// - Parameters:
    ///   - head: ends in that empty line. - start: of the first field. - bytes: the memory of `head`, for one copy.
    mutating func parse(
        _ head: Span<UInt8>, from start: Int, _ bytes: UnsafeRawBufferPointer, _ limits: HTTPLimits
    ) throws(HTTPParseError) {
        // The two bytes of the empty line are not part of the fields.
        let end = head.count - 2
        guard start < end else { return }
        fields.bytes = [UInt8](UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        fields.entries.reserveCapacity(min(limits.maxFieldCount, (end - start) / Self.usualLineBytes + 4))
        var position = start
        while position < end {
            guard fields.entries.count < limits.maxFieldCount else {
                throw HTTPParseError(
                    .headerFieldsTooLarge, "too_many_fields", "there are more header fields than this server takes")
            }
            let line = try Self.readLine(head, &position)
            guard line.name.count <= HTTPFields.maxPartBytes, line.value.count <= HTTPFields.maxPartBytes else {
                throw HTTPParseError(.headerFieldsTooLarge, "field_too_large", "a header field is too large")
            }
            fields.entries.append(
                HTTPFields.Entry(
                    name: UInt32(truncatingIfNeeded: line.name.lowerBound &- start),
                    value: UInt32(truncatingIfNeeded: line.value.lowerBound &- start),
                    nameLength: UInt16(truncatingIfNeeded: line.name.count),
                    valueLength: UInt16(truncatingIfNeeded: line.value.count)))
            switch line.name.count {
            case 4, 6, 10, 14, 17: try note(head, line.name, line.value)
            default: break
            }
        }
    }

    /// One line: `name ":" OWS value OWS CRLF`, nothing folded, nothing before the colon.
    @inline(__always)
    private static func readLine(
        _ head: Span<UInt8>, _ position: inout Int
    ) throws(HTTPParseError) -> (name: Range<Int>, value: Range<Int>) {
        let start = position
        var index = start
        while ByteClass.token.contains(head[index]) { index &+= 1 }
        let name = start..<index
        guard head[index] == 0x3A, index > start else { throw malformedName(head[index], isFirst: index == start) }
        index = head.indexOfControl(from: index &+ 1, to: head.count)
        guard head.matches("\r\n", at: index) else { throw malformedValue(head[index]) }
        position = index &+ 2
        return (name, head.trimmed(name.upperBound &+ 1..<index))
    }

    private static func malformedName(_ byte: UInt8, isFirst: Bool) -> HTTPParseError {
        switch byte {
        case 0x20, 0x09:
            isFirst
                ? .bad("folded_line", "a header line starts with white space")
                : .bad("field_name_space", "there is white space in a header field's name or before its colon")
        default: .bad("field_name_malformed", "a header field's name is malformed")
        }
    }

    private static func malformedValue(_ byte: UInt8) -> HTTPParseError {
        byte == 0x0D
            ? .bad("bare_carriage_return", "a header field's value holds a CR without LF")
            : .bad("field_value_malformed", "a header field's value holds a control character")
    }

    // MARK: What the fields say

    private mutating func note(
        _ head: Span<UInt8>, _ name: Range<Int>, _ value: Range<Int>
    ) throws(HTTPParseError) {
        switch name.count {
        case 4 where head.equals("host", name):
            try Self.refuseTabs(head, name, value)
            hostCount += 1
            try TargetPath.validateHost(head, value)
        case 6 where head.equals("expect", name):
            // A server that overlooks an expectation and a proxy that honours it disagree about what comes next.
            guard !expectsContinue, head.equals("100-continue", value) else {
                throw HTTPParseError(
                    .expectationFailed, "expectation_unknown", "only 'Expect: 100-continue', once, is understood")
            }
            expectsContinue = true
        case 10 where head.equals("connection", name):
            try noteConnection(head, value)
        case 14 where head.equals("content-length", name):
            try Self.refuseTabs(head, name, value)
            guard contentLength == nil else {
                throw .bad("content_length_repeated", "there is more than one Content-Length")
            }
            contentLength = try Self.length(head, value)
        case 17 where head.equals("transfer-encoding", name):
            try Self.refuseTabs(head, name, value)
            guard !hasTransferEncoding else {
                throw .bad("transfer_encoding_repeated", "there is more than one Transfer-Encoding")
            }
            hasTransferEncoding = true
            try Self.checkTransferEncoding(head, value)
        default: break
        }
    }

    /// The grammar lets tabs stand around a value; nginx, for one, takes them for a part of it. A field that frames or
    /// routes the message must not be read in two ways.
    private static func refuseTabs(
        _ head: Span<UInt8>, _ name: Range<Int>, _ value: Range<Int>
    ) throws(HTTPParseError) {
        var index = name.upperBound &+ 1
        while head[index] == 0x20 { index &+= 1 }
        var end = value.upperBound
        while head[end] == 0x20 { end &+= 1 }
        guard head[index] != 0x09, head[end] != 0x09 else {
            throw .bad("field_value_tab", "there is a tab around the value of a field that frames the message")
        }
    }

    private mutating func noteConnection(_ head: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) {
        try Self.forEachToken(head, value) { option in
            if head.equals("close", option) { saysClose = true }
            if head.equals("keep-alive", option) { saysKeepAlive = true }
        }
    }

    /// Calls the closure with each token of a comma-separated list; empty elements are skipped (RFC 9110, 5.6.1).
    private static func forEachToken(
        _ head: Span<UInt8>, _ value: Range<Int>, _ body: (Range<Int>) -> Void
    ) throws(HTTPParseError) {
        var position = value.lowerBound
        while position < value.upperBound {
            let start = position
            while position < value.upperBound, head[position] != 0x2C { position += 1 }
            let token = head.trimmed(start..<position)
            position += 1
            for index in token where !ByteClass.token.contains(head[index]) {
                throw .bad("field_list_malformed", "a list of tokens in a header field is malformed")
            }
            if !token.isEmpty { body(token) }
        }
    }

    /// Digits only, at most eighteen, no zeros before them: no sign, no list, no blank, nothing to read as octal.
    private static func length(_ head: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) -> Int {
        let malformed = HTTPParseError.bad("content_length_malformed", "Content-Length is not a plain number")
        guard !value.isEmpty, value.count == 1 || head[value.lowerBound] != 0x30 else { throw malformed }
        var length = 0
        for index in value {
            guard ByteClass.digit.contains(head[index]) else { throw malformed }
            guard index - value.lowerBound < 18 else {
                throw .bad("content_length_overflow", "Content-Length is larger than any body")
            }
            length = length * 10 + Int(head[index] - 0x30)
        }
        return length
    }

    /// `chunked`, once and last, is understood; well-formed codings before it are unknown, anything else malformed.
    private static func checkTransferEncoding(_ head: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) {
        if head.equals("chunked", value) { return }
        var chunked = 0
        var isLast = false
        try forEachToken(head, value) { coding in
            isLast = head.equals("chunked", coding)
            if isLast { chunked += 1 }
        }
        guard chunked == 1, isLast, head[value.lowerBound] != 0x2C, head[value.upperBound - 1] != 0x2C,
            !head.equals("chunked", value)
        else {
            throw .bad("transfer_encoding_malformed", "Transfer-Encoding must be 'chunked' and nothing else")
        }
        throw HTTPParseError(
            .notImplemented, "transfer_encoding_unknown", "the only Transfer-Encoding understood is 'chunked'")
    }

    // MARK: Framing (RFC 9112, section 6.3)

    func keepsAlive(minorVersion: Int) -> Bool { !saysClose && (minorVersion == 1 || saysKeepAlive) }

    func requestFraming(minorVersion: Int, _ limits: HTTPLimits) throws(HTTPParseError) -> HTTPFraming {
        try checkEncoding(minorVersion: minorVersion)
        if hasTransferEncoding { return .chunked }
        guard let contentLength, contentLength > 0 else { return .none }
        guard contentLength <= limits.maxBodyBytes else { throw .bodyTooLarge }
        return .length(contentLength)
    }

    func responseFraming(
        status: HTTPStatus, minorVersion: Int, requestMethod: HTTPMethod
    ) throws(HTTPParseError) -> HTTPFraming {
        try checkEncoding(minorVersion: minorVersion)
        if requestMethod == .head || status.code < 200 || status == .noContent || status == .notModified {
            return .none
        }
        if hasTransferEncoding { return .chunked }
        return contentLength.map(HTTPFraming.length) ?? .untilClose
    }

    private func checkEncoding(minorVersion: Int) throws(HTTPParseError) {
        guard hasTransferEncoding else { return }
        guard contentLength == nil else {
            throw .bad("length_and_encoding", "Content-Length and Transfer-Encoding exclude each other")
        }
        guard minorVersion == 1 else {
            throw .bad("encoding_in_http_1_0", "HTTP/1.0 knows no Transfer-Encoding")
        }
    }
}
