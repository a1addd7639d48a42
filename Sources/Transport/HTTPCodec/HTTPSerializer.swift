/// Writes heads and chunks into a byte buffer that the caller reuses.
///
/// Framing is written here only: what a handler or a proxied message says about it is left out, so that it cannot
/// contradict the bytes that follow.
package enum HTTPSerializer {
    /// Writes a request head. `Host`, `Connection` and framing come from the parameters; such fields in `fields` are
    /// skipped. Bytes of the target that a request line cannot hold are percent-encoded.
    /// - Parameter own: fields that take the place of those of the same name in `fields`.
    /// - Returns: false, and nothing is written, for a method that is no token or a host that is malformed.
    @discardableResult
    package static func requestHead(
        method: HTTPMethod, target: String, host: String, fields: HTTPFields, own: HTTPFields = HTTPFields(),
        framing: HTTPFraming, into output: inout [UInt8]
    ) -> Bool {
        let hostBytes = host.utf8.span
        guard TargetPath.isHost(hostBytes, 0..<hostBytes.count) else { return false }
        switch method {
        case .get: append("GET ", to: &output)
        case .post: append("POST ", to: &output)
        default:
            let name = method.name
            guard !name.isEmpty, name.utf8.allSatisfy(ByteClass.token.contains) else { return false }
            output.append(contentsOf: name.utf8)
            output.append(0x20)
        }
        append(target: target, to: &output)
        append(" HTTP/1.1\r\nhost: ", to: &output)
        output.append(contentsOf: host.utf8)
        append("\r\n", to: &output)
        append(fields, isRequest: true, replacedBy: own, to: &output)
        append(own, isRequest: true, to: &output)
        switch (framing, method) {
        // A server may otherwise take a body to be missing (RFC 9110, section 8.6).
        case (.none, .post), (.none, .put), (.none, .patch): append("content-length: 0\r\n", to: &output)
        default: append(framing, to: &output)
        }
        append("\r\n", to: &output)
        return true
    }

    /// Writes a response head. `Date`, `Connection` and framing come from the parameters; such fields in `fields` are
    /// skipped.
    /// - Parameters:
    ///   - framing: `none` says that there is no body, by `Content-Length: 0` where the status does not say so itself;
    ///     for the answer to HEAD, the framing that GET would have had.
    ///   - keepsAlive: false, and any framing `untilClose`, write `Connection: close`.
    ///   - date: the `Date` field, as `HTTPDate.format` gives it; a server keeps it for a second. Empty: none.
    ///   - minorVersion: of the request: a client of HTTP/1.0 is told when the connection stays.
    package static func responseHead(
        status: HTTPStatus, fields: HTTPFields, framing: HTTPFraming, keepsAlive: Bool, date: [UInt8],
        minorVersion: Int = 1, into output: inout [UInt8]
    ) {
        switch status.code {
        case 200: append("HTTP/1.1 200 OK\r\n", to: &output)
        case 201: append("HTTP/1.1 201 Created\r\n", to: &output)
        default:
            append("HTTP/1.1 ", to: &output)
            // Three digits always, whatever a handler made up.
            Decimal.append((100...599).contains(status.code) ? status.code : 500, to: &output)
            output.append(0x20)
            append(status.reason, to: &output)
            append("\r\n", to: &output)
        }
        if !date.isEmpty {
            append("date: ", to: &output)
            output.append(contentsOf: date)
            append("\r\n", to: &output)
        }
        append(fields, isRequest: false, to: &output)
        let hasNoBody = status.code < 200 || status == .noContent
        if framing == .none, !hasNoBody, status != .notModified {
            append("content-length: 0\r\n", to: &output)
        } else if !hasNoBody {
            append(framing, to: &output)
        }
        if status.code >= 200 {
            if !keepsAlive || framing == .untilClose {
                append("connection: close\r\n", to: &output)
            } else if minorVersion == 0 {
                append("connection: keep-alive\r\n", to: &output)
            }
        }
        append("\r\n", to: &output)
    }

    /// Writes one chunk; an empty one would end the body, so nothing is written for it.
    package static func chunk(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        Decimal.appendHex(bytes.count, to: &output)
        append("\r\n", to: &output)
        output.append(contentsOf: bytes)
        append("\r\n", to: &output)
    }

    /// Ends a chunked body.
    package static func lastChunk(into output: inout [UInt8]) { append("0\r\n\r\n", to: &output) }

    // MARK: Parts

    private static func append(target: String, to output: inout [UInt8]) {
        if target == "*" {
            output.append(0x2A)
            return
        }
        let bytes = target.utf8.span
        if bytes.isEmpty || bytes[0] != 0x2F { output.append(0x2F) }
        var isClean = true
        for index in 0..<bytes.count where !isTarget(bytes[index]) {
            isClean = false
            break
        }
        if isClean {
            output.append(contentsOf: target.utf8)
            return
        }
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if isTarget(byte) {
                output.append(byte)
            } else {
                let high = byte >> 4
                let low = byte & 15
                output.append(0x25)
                output.append(high < 10 ? 0x30 + high : 0x37 + high)
                output.append(low < 10 ? 0x30 + low : 0x37 + low)
            }
        }
    }

    @inline(__always)
    private static func isTarget(_ byte: UInt8) -> Bool { ByteClass.plainQuery.contains(byte) || byte == 0x25 }

    private static func append(_ framing: HTTPFraming, to output: inout [UInt8]) {
        switch framing {
        case .length(let count):
            append("content-length: ", to: &output)
            Decimal.append(count, to: &output)
            append("\r\n", to: &output)
        case .chunked: append("transfer-encoding: chunked\r\n", to: &output)
        case .none, .untilClose: break
        }
    }

    /// The lines lie in `fields` as they go out: whole runs are copied between those that are skipped.
    private static func append(
        _ fields: HTTPFields, isRequest: Bool, replacedBy own: HTTPFields = HTTPFields(), to output: inout [UInt8]
    ) {
        // Of each name length up to 63 whether a field of `own` has it: most others need no closer look.
        var lengths: UInt64 = 0
        for entry in own.entries { lengths |= 1 &<< UInt64(min(entry.nameLength, 63)) }
        fields.bytes.withUnsafeBufferPointer { buffer in
            let bytes = buffer.span
            var run = 0
            for index in fields.entries.indices {
                let entry = fields.entries[index]
                guard
                    isFraming(bytes, entry.nameRange, isRequest: isRequest)
                        || lengths &>> UInt64(min(entry.nameLength, 63)) & 1 != 0
                            && own.firstIndex(of: bytes.extracting(entry.nameRange)) != nil
                else { continue }
                output.append(contentsOf: buffer[run..<entry.start])
                run = index + 1 < fields.entries.count ? fields.entries[index + 1].start : buffer.count
            }
            output.append(contentsOf: buffer[run...])
        }
    }

    /// Fields that the serializer writes itself.
    @inline(__always)
    private static func isFraming(_ bytes: Span<UInt8>, _ name: Range<Int>, isRequest: Bool) -> Bool {
        switch name.count {
        case 4: isRequest ? bytes.equals("host", name) : bytes.equals("date", name)
        case 10: bytes.equals("connection", name) || bytes.equals("keep-alive", name)
        case 14: bytes.equals("content-length", name)
        case 17: bytes.equals("transfer-encoding", name)
        default: false
        }
    }

    @inline(__always)
    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        // Safety: a static string's bytes are immortal.
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
