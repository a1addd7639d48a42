import HTTPCodec

/// What a server makes of a stream of bytes: the requests that it read, and why it stopped.
struct Conversation: Equatable {
    struct Message: Equatable {
        var method: String
        var target: String
        var minorVersion: Int
        var fields: [String]
        var body: [UInt8] = []
        var keepsAlive: Bool
        var isComplete = false
    }

    var messages: [Message] = []
    /// The code and status of the refusal.
    var refusal: String?

    /// Whether every byte was understood and no message is half read.
    var isWhole: Bool { refusal == nil && messages.allSatisfy(\.isComplete) && !hasPartialHead }
    var hasPartialHead = false

    /// Reads the bytes as they arrive in these pieces.
    static func read(_ pieces: [ArraySlice<UInt8>], limits: HTTPLimits = HTTPLimits()) -> Conversation {
        var reader = Reader(limits: limits)
        for piece in pieces { reader.feed(piece) }
        return reader.conversation
    }

    static func read(_ text: String, limits: HTTPLimits = HTTPLimits()) -> Conversation {
        read([Array(text.utf8)[...]], limits: limits)
    }

    static func read(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits()) -> Conversation {
        read([bytes[...]], limits: limits)
    }
}

/// A server's read loop without a socket.
private struct Reader {
    let limits: HTTPLimits
    var conversation = Conversation()
    private var buffer: [UInt8] = []
    private var scanned = 0
    private var decoder: HTTPBodyDecoder?

    init(limits: HTTPLimits) { self.limits = limits }

    mutating func feed(_ piece: ArraySlice<UInt8>) {
        guard conversation.refusal == nil else { return }
        buffer.append(contentsOf: piece)
        do throws(HTTPParseError) {
            while try step() {}
        } catch {
            conversation.refusal = "\(error.status.code) \(error.code)"
        }
        conversation.hasPartialHead = decoder == nil && !buffer.isEmpty
    }

    /// One head, or one piece of a body.
    /// - Returns: false when more bytes are needed.
    private mutating func step() throws(HTTPParseError) -> Bool {
        var offset = 0
        defer { buffer.removeFirst(offset) }
        guard var body = decoder else {
            guard let head = try parseHead() else { return false }
            offset = head.byteCount
            var fields: [String] = []
            head.fields.forEach { fields.append("\($0): \($1)") }
            conversation.messages.append(
                .init(
                    method: head.method.name, target: head.target, minorVersion: head.minorVersion, fields: fields,
                    keepsAlive: head.keepsAlive))
            decoder = HTTPBodyDecoder(framing: head.framing, limits: limits)
            return true
        }
        let step = try Self.next(&body, buffer, &offset)
        decoder = body
        switch step {
        case .needMore: return false
        case .data(let range):
            conversation.messages[conversation.messages.count - 1].body += buffer[range]
            return true
        case .end:
            conversation.messages[conversation.messages.count - 1].isComplete = true
            decoder = nil
            return offset < buffer.count
        }
    }

    private mutating func parseHead() throws(HTTPParseError) -> HTTPRequestHead? {
        let limits = limits
        var position = scanned
        defer { scanned = position }
        return try buffer.span.withUnsafeBytes { bytes throws(HTTPParseError) in
            try HTTPHeadParser.request(bytes, scanned: &position, limits: limits)
        }
    }

    private static func next(
        _ decoder: inout HTTPBodyDecoder, _ buffer: [UInt8], _ offset: inout Int
    ) throws(HTTPParseError) -> HTTPBodyDecoder.Step {
        var body = decoder
        var position = offset
        defer {
            decoder = body
            offset = position
        }
        return try buffer.span.withUnsafeBytes { bytes throws(HTTPParseError) in
            try body.next(bytes, offset: &position)
        }
    }
}

/// Parses one whole request head.
func parseRequest(_ text: String, limits: HTTPLimits = HTTPLimits()) throws(HTTPParseError) -> HTTPRequestHead? {
    var scanned = 0
    return try Array(text.utf8).span.withUnsafeBytes { bytes throws(HTTPParseError) in
        try HTTPHeadParser.request(bytes, scanned: &scanned, limits: limits)
    }
}

/// Parses one whole response head.
func parseResponse(
    _ text: String, to method: HTTPMethod = .get, limits: HTTPLimits = HTTPLimits()
) throws(HTTPParseError) -> HTTPResponseHead? {
    var scanned = 0
    return try Array(text.utf8).span.withUnsafeBytes { bytes throws(HTTPParseError) in
        try HTTPHeadParser.response(bytes, scanned: &scanned, limits: limits, requestMethod: method)
    }
}

/// The refusal of a request, as `status code`; nil when it is read or not complete.
func refusal(of text: String, limits: HTTPLimits = HTTPLimits()) -> String? {
    Conversation.read(text, limits: limits).refusal
}

/// A GET of `/` with these lines after the Host field.
func get(_ lines: String...) -> String {
    "GET / HTTP/1.1\r\nHost: x\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

/// A POST of `/` with these lines after the Host field.
func post(_ lines: String..., body: String = "") -> String {
    "POST / HTTP/1.1\r\nHost: x\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
}
