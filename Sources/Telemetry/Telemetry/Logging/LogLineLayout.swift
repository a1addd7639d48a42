internal import Glibc

/// The Elastic Common Schema that lines follow.
package enum ECS {
    package static let version = "9.0.0"
}

/// The ECS JSON line of one logger (ecs-logging 1.0, ECS 9): the keys in their order, the constant parts prepared.
///
/// A class: what it holds is shared by every line, and a struct would be retained part by part.
final class LogLineLayout: Sendable {
    /// UTF-8 bytes of a message and of one text value that are kept.
    static let maxMessageBytes = 16 * 1024
    static let maxValueBytes = 8 * 1024
    /// Fields of one line that are kept.
    static let maxFields = 64

    /// Room for what names the span, and the key of the request id.
    private static let identityBytes = 128

    /// Everything between the message and the name of the event.
    private let afterMessage: [UInt8]

    init(serviceName: String, logger: String, processID: Int) {
        var buffer = ByteBuffer()
        buffer.append("\",\"ecs.version\":\"" as StaticString)
        buffer.append(ECS.version)
        buffer.append("\",\"service.name\":" as StaticString)
        buffer.appendJSONString(serviceName)
        buffer.append(",\"event.dataset\":" as StaticString)
        buffer.appendJSONString(serviceName + ".log")
        buffer.append(",\"log.logger\":" as StaticString)
        buffer.appendJSONString(logger)
        buffer.append(",\"process.pid\":" as StaticString)
        buffer.appendDecimal(processID)
        buffer.append(",\"event.action\":\"" as StaticString)
        afterMessage = buffer.array()
    }

    /// Appends the line with its line feed to the thread's scratch buffer.
    @inline(__always)
    func encode(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, context: TelemetryContext,
        wallNanoseconds: UInt64, isRetroactive: Bool, into state: inout ThreadState
    ) {
        state.appendLineStart(wallNanoseconds: wallNanoseconds)
        switch event.level {
        case .debug: state.scratch.append("\",\"log.level\":\"debug\",\"message\":\"" as StaticString)
        case .info: state.scratch.append("\",\"log.level\":\"info\",\"message\":\"" as StaticString)
        case .warn: state.scratch.append("\",\"log.level\":\"warn\",\"message\":\"" as StaticString)
        case .error: state.scratch.append("\",\"log.level\":\"error\",\"message\":\"" as StaticString)
        }
        state.scratch.appendWatched(message, limit: Self.maxMessageBytes)
        state.scratch.append(afterMessage)
        if event.isPlain { state.scratch.append(event.name) } else { state.scratch.appendJSONEscaped(event.name) }
        state.scratch.reserve(Self.identityBytes)
        state.scratch.appendReserved(UInt8(ascii: "\""))
        if let span = context.span {
            state.scratch.appendReserved(",\"trace.id\":\"" as StaticString)
            state.scratch.appendReservedHex(span.traceID.high)
            state.scratch.appendReservedHex(span.traceID.low)
            state.scratch.appendReserved("\",\"span.id\":\"" as StaticString)
            state.scratch.appendReservedHex(span.spanID.value)
            state.scratch.appendReserved(UInt8(ascii: "\""))
        }
        if let id = context.requestID {
            state.scratch.appendReserved(",\"http.request.id\":\"" as StaticString)
            state.scratch.appendJSONEscaped(id, limit: Self.maxValueBytes)
            state.scratch.append(UInt8(ascii: "\""))
        }
        if isRetroactive { state.scratch.append(",\"tags\":[\"retroactive\"]" as StaticString) }
        for index in 0..<min(fields.count, Self.maxFields) {
            Self.append(index, of: fields, context: context, to: &state.scratch)
        }
        state.scratch.append("}\n" as StaticString)
    }

    @inline(__always)
    private static func append(
        _ index: Int, of fields: borrowing Swift.Span<Attribute>, context: TelemetryContext, to buffer: inout ByteBuffer
    ) {
        let key = fields[index].key.facts
        // JSON with a key twice is not JSON for everybody: the first one stays.
        for earlier in 0..<index where fields[earlier].key.facts == key { return }
        let traits = key.pointee.traits
        if !traits.isDisjoint(with: [.sensitive, .contextual, .needsRewriting]) {
            return appendUnusual(index, of: fields, context: context, to: &buffer)
        }
        let text = key.pointee.logText
        // Then there is room for a number.
        buffer.reserve(text.count + 8)
        if let start = text.baseAddress { memcpy(buffer.base + buffer.count, start, text.count) }
        buffer.count &+= text.count
        append(fields[index].value, isFree: !traits.contains(.structured), to: &buffer)
    }

    /// A field whose key says more than its name.
    @inline(never)
    private static func appendUnusual(
        _ index: Int, of fields: borrowing Swift.Span<Attribute>, context: TelemetryContext, to buffer: inout ByteBuffer
    ) {
        let field = fields[index]
        let key = field.key
        if key.traits.contains(.contextual) {
            if key.name == "http.request.id" ? context.requestID != nil : context.span != nil { return }
        }
        let name = key.rewrittenName
        if key.traits.contains(.needsRewriting) {
            // Two names may become one: that of a field which always had it, or else the first one's.
            for other in 0..<fields.count where other != index {
                if fields[other].key.name == name { return }
                if other < index, fields[other].key.rewrittenName == name { return }
            }
        }
        buffer.append(",\"" as StaticString)
        buffer.appendJSONEscaped(name, limit: maxValueBytes)
        buffer.append("\":" as StaticString)
        if key.traits.contains(.sensitive) {
            buffer.append("\"[redacted]\"" as StaticString)
        } else {
            append(field.value, isFree: !key.traits.contains(.structured), to: &buffer)
        }
    }

    /// - Parameter isFree: the text may be anything, also a secret.
    @inline(__always)
    private static func append(_ value: AttributeValue, isFree: Bool, to buffer: inout ByteBuffer) {
        switch value {
        case .string(let text):
            buffer.append(UInt8(ascii: "\""))
            if isFree {
                buffer.appendWatched(text, limit: maxValueBytes)
            } else {
                buffer.appendJSONEscaped(text, limit: maxValueBytes)
            }
            buffer.append(UInt8(ascii: "\""))
        case .int(let number): buffer.appendDecimal(number)
        case .bool(let flag): buffer.append(flag ? "true" : "false" as StaticString)
        case .double(let number): append(number, to: &buffer)
        case .strings(let texts): append(texts, to: &buffer)
        }
    }

    /// JSON has no infinities: they become text.
    @inline(never)
    private static func append(_ number: Double, to buffer: inout ByteBuffer) {
        if !number.isFinite { buffer.append(UInt8(ascii: "\"")) }
        buffer.appendNumber(number)
        if !number.isFinite { buffer.append(UInt8(ascii: "\"")) }
    }

    @inline(never)
    private static func append(_ texts: [String], to buffer: inout ByteBuffer) {
        buffer.append(UInt8(ascii: "["))
        for (index, text) in texts.prefix(maxFields).enumerated() {
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            buffer.append(UInt8(ascii: "\""))
            buffer.appendWatched(text, limit: maxValueBytes)
            buffer.append(UInt8(ascii: "\""))
        }
        buffer.append(UInt8(ascii: "]"))
    }
}
