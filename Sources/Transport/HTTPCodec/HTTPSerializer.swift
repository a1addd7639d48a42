/// Writes heads and chunks into a byte buffer that the caller reuses.
package enum HTTPSerializer {
    /// Writes a request head. `Host` and framing come from the parameters; such fields in `fields` are skipped.
    package static func requestHead(
        method: HTTPMethod, target: String, host: String, fields: HTTPFields, framing: HTTPFraming,
        into output: inout [UInt8]
    ) {
        output.append(contentsOf: method.name.utf8)
        output.append(0x20)
        output.append(contentsOf: target.utf8)
        append(" HTTP/1.1\r\nhost: ", to: &output)
        output.append(contentsOf: host.utf8)
        append("\r\n", to: &output)
        append(fields, isRequest: true, to: &output)
        append(framing, to: &output)
        append("\r\n", to: &output)
    }

    /// Writes a response head.
    /// - Parameter date: the `Date` field, as `HTTPDate.format` gives it; a server keeps it for a second.
    package static func responseHead(
        status: HTTPStatus, fields: HTTPFields, framing: HTTPFraming, keepsAlive: Bool, date: [UInt8],
        into output: inout [UInt8]
    ) {
        append("HTTP/1.1 ", to: &output)
        appendNumber(status.code, to: &output)
        output.append(0x20)
        append(status.reason, to: &output)
        append("\r\ndate: ", to: &output)
        output.append(contentsOf: date)
        append("\r\n", to: &output)
        append(fields, isRequest: false, to: &output)
        append(framing, to: &output)
        append(keepsAlive ? "\r\n" : "connection: close\r\n\r\n", to: &output)
    }

    /// Writes one chunk; an empty one would end the body, so nothing is written for it.
    package static func chunk(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        var size = bytes.count
        var digits: [UInt8] = []
        while size > 0 {
            let digit = UInt8(size & 15)
            digits.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            size >>= 4
        }
        output.append(contentsOf: digits.reversed())
        append("\r\n", to: &output)
        output.append(contentsOf: bytes)
        append("\r\n", to: &output)
    }

    /// Ends a chunked body.
    package static func lastChunk(into output: inout [UInt8]) { append("0\r\n\r\n", to: &output) }

    // MARK: Parts

    private static func append(_ framing: HTTPFraming, to output: inout [UInt8]) {
        switch framing {
        case .length(let count):
            append("content-length: ", to: &output)
            appendNumber(count, to: &output)
            append("\r\n", to: &output)
        case .chunked: append("transfer-encoding: chunked\r\n", to: &output)
        case .none, .untilClose: break
        }
    }

    private static func append(_ fields: HTTPFields, isRequest: Bool, to output: inout [UInt8]) {
        fields.bytes.withUnsafeBufferPointer { bytes in
            for entry in fields.entries {
                let name = UnsafeBufferPointer(
                    rebasing: bytes[Int(entry.name)..<Int(entry.name) + Int(entry.nameLength)])
                if isOwnField(name, isRequest: isRequest) { continue }
                output.append(contentsOf: name)
                output.append(0x3A)
                output.append(0x20)
                output.append(
                    contentsOf: UnsafeBufferPointer(
                        rebasing: bytes[Int(entry.value)..<Int(entry.value) + Int(entry.valueLength)]))
                output.append(0x0D)
                output.append(0x0A)
            }
        }
    }

    /// Fields that the serializer writes itself, so that a handler cannot contradict the framing.
    private static func isOwnField(_ name: UnsafeBufferPointer<UInt8>, isRequest: Bool) -> Bool {
        switch name.count {
        case 4: isRequest ? equal(name, "host") : equal(name, "date")
        case 10: equal(name, "connection")
        case 14: equal(name, "content-length")
        case 17: equal(name, "transfer-encoding")
        default: false
        }
    }

    private static func equal(_ name: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
        for offset in 0..<name.count where ByteClass.lower(name[offset]) != text.utf8Start[offset] { return false }
        return true
    }

    @inline(__always)
    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func appendNumber(_ number: Int, to output: inout [UInt8]) {
        guard number >= 10 else {
            output.append(0x30 + UInt8(max(0, number)))
            return
        }
        var left = number
        let start = output.count
        while left > 0 {
            output.append(0x30 + UInt8(left % 10))
            left /= 10
        }
        output[start...].reverse()
    }
}

extension HTTPStatus {
    /// The customary words of the status line; clients read the code.
    var reason: StaticString {
        switch code {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
