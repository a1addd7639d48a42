/// The header fields of a head, with what they say about framing (RFC 9112, sections 5 and 6).
struct FieldSection {
    var fields: HTTPFields
    var hostCount = 0
    var hasExpect = false
    var expectsContinue = false
    private var contentLength: Int?
    private var isChunked = false
    private var hasTransferEncoding = false
    private var saysClose = false
    private var saysKeepAlive = false

    static func parse(
        _ reader: inout LineReader, end: Int, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> FieldSection {
        let start = reader.position
        var section = FieldSection(
            fields: HTTPFields(bytes: [UInt8](UnsafeRawBufferPointer(rebasing: reader.bytes[start..<end])), entries: [])
        )
        section.fields.entries.reserveCapacity(16)
        while reader.position < end - 2 {
            guard section.fields.count < limits.maxFieldCount else {
                throw HTTPParseError(
                    .headerFieldsTooLarge, "too_many_fields", "there are more header fields than this server takes")
            }
            let line = try readLine(&reader)
            section.fields.entries.append(
                HTTPFields.Entry(
                    name: UInt32(line.name.lowerBound - start), nameLength: UInt16(truncatingIfNeeded: line.name.count),
                    valueLength: UInt16(truncatingIfNeeded: line.value.count),
                    value: UInt32(line.value.lowerBound - start)))
            guard line.value.count <= UInt16.max else {
                throw HTTPParseError(.headerFieldsTooLarge, "field_too_large", "a header field is too large")
            }
            try section.note(reader.bytes, line.name, line.value)
        }
        reader.position = end
        return section
    }

    /// One line: `name ":" OWS value OWS CRLF`, nothing folded, nothing before the colon.
    static func readLine(
        _ reader: inout LineReader
    ) throws(HTTPParseError) -> (name: Range<Int>, value: Range<Int>) {
        let bytes = reader.bytes
        var position = reader.position
        let nameStart = position
        while ByteClass.token.contains(bytes[position]) { position += 1 }
        let name = nameStart..<position
        guard bytes[position] == 0x3A, !name.isEmpty else {
            if position == nameStart, bytes[position] == 0x20 || bytes[position] == 0x09 {
                throw .bad("obs_fold", "a header line starts with white space")
            }
            throw .bad("field_name_malformed", "a header field's name is malformed")
        }
        position += 1
        while bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        let valueStart = position
        while ByteClass.isFieldValue(bytes[position]) { position += 1 }
        guard bytes[position] == 0x0D, bytes[position + 1] == 0x0A else {
            throw .bad("field_value_malformed", "a header field's value holds a control character")
        }
        var valueEnd = position
        while valueEnd > valueStart, bytes[valueEnd - 1] == 0x20 || bytes[valueEnd - 1] == 0x09 { valueEnd -= 1 }
        reader.position = position + 2
        return (name, valueStart..<valueEnd)
    }

    // MARK: What the fields say

    private mutating func note(
        _ bytes: UnsafeRawBufferPointer, _ name: Range<Int>, _ value: Range<Int>
    ) throws(HTTPParseError) {
        switch name.count {
        case 4 where Self.equal(bytes, name, "host"):
            hostCount += 1
            try TargetPath.validateHost(bytes, value)
        case 6 where Self.equal(bytes, name, "expect"):
            hasExpect = true
            expectsContinue = Self.equal(bytes, value, "100-continue")
        case 10 where Self.equal(bytes, name, "connection"):
            noteConnection(bytes, value)
        case 14 where Self.equal(bytes, name, "content-length"):
            guard contentLength == nil else {
                throw .bad("content_length_repeated", "there is more than one Content-Length")
            }
            contentLength = try Self.length(bytes, value)
        case 17 where Self.equal(bytes, name, "transfer-encoding"):
            guard !hasTransferEncoding else {
                throw .bad("transfer_encoding_repeated", "there is more than one Transfer-Encoding")
            }
            hasTransferEncoding = true
            isChunked = Self.equal(bytes, value, "chunked")
        default: break
        }
    }

    private mutating func noteConnection(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) {
        var position = value.lowerBound
        while position < value.upperBound {
            let start = position
            while position < value.upperBound, bytes[position] != 0x2C { position += 1 }
            var option = start..<position
            position += 1
            while let first = option.first, bytes[first] == 0x20 || bytes[first] == 0x09 { option = option.dropFirst() }
            while let last = option.last, bytes[last] == 0x20 || bytes[last] == 0x09 { option = option.dropLast() }
            if Self.equal(bytes, option, "close") { saysClose = true }
            if Self.equal(bytes, option, "keep-alive") { saysKeepAlive = true }
        }
    }

    func keepsAlive(minorVersion: Int) -> Bool { !saysClose && (minorVersion == 1 || saysKeepAlive) }

    func requestFraming(minorVersion: Int, _ limits: HTTPLimits) throws(HTTPParseError) -> HTTPFraming {
        switch try framing(minorVersion: minorVersion) {
        case .length(let count) where count > limits.maxBodyBytes:
            throw HTTPParseError(.contentTooLarge, "body_too_large", "the body is larger than this server takes")
        case .length(0), .untilClose: return .none
        case let framing: return framing
        }
    }

    func responseFraming(minorVersion: Int) throws(HTTPParseError) -> HTTPFraming {
        try framing(minorVersion: minorVersion)
    }

    private func framing(minorVersion: Int) throws(HTTPParseError) -> HTTPFraming {
        guard hasTransferEncoding else { return contentLength.map(HTTPFraming.length) ?? .untilClose }
        guard contentLength == nil else {
            throw .bad("length_and_encoding", "Content-Length and Transfer-Encoding exclude each other")
        }
        guard minorVersion == 1 else {
            throw .bad("encoding_in_http_1_0", "HTTP/1.0 knows no Transfer-Encoding")
        }
        guard isChunked else {
            throw HTTPParseError(
                .notImplemented, "transfer_encoding_unknown", "the only Transfer-Encoding understood is 'chunked'")
        }
        return .chunked
    }

    /// Digits only, at most fifteen: no sign, no list, no white space inside.
    private static func length(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) throws(HTTPParseError) -> Int {
        guard (1...15).contains(value.count) else {
            throw .bad("content_length_malformed", "Content-Length is not a plain number")
        }
        var length = 0
        for position in value {
            let digit = bytes[position]
            guard (0x30...0x39).contains(digit) else {
                throw .bad("content_length_malformed", "Content-Length is not a plain number")
            }
            length = length * 10 + Int(digit - 0x30)
        }
        return length
    }

    @inline(__always)
    private static func equal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let start = range.lowerBound
        for offset in 0..<range.count where ByteClass.lower(bytes[start + offset]) != text.utf8Start[offset] {
            return false
        }
        return true
    }
}
