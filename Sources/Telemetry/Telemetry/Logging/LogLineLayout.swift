/// The ECS JSON line of one logger (ecs-logging 1.0, ECS 9): the keys in their order, the constant parts prepared.
///
/// A class: what it holds is shared by every line, and a struct would be retained part by part.
final class LogLineLayout: Sendable {
    static let ecsVersion = "9.0.0"
    /// UTF-8 bytes of a message and of one text value that are kept.
    static let maxMessageBytes = 16 * 1024
    static let maxValueBytes = 8 * 1024
    /// Fields of one line that are kept.
    static let maxFields = 64

    private let afterMessage: [UInt8]
    private let afterEvent: [UInt8]
    private let process: [UInt8]

    init(serviceName: String, logger: String, processID: Int) {
        var buffer = ByteBuffer()
        buffer.append("\",\"ecs.version\":\"" as StaticString)
        buffer.append(Self.ecsVersion)
        buffer.append("\",\"service.name\":" as StaticString)
        buffer.appendJSONString(serviceName)
        buffer.append(",\"log.logger\":" as StaticString)
        buffer.appendJSONString(logger)
        buffer.append(",\"event.action\":\"" as StaticString)
        afterMessage = buffer.array()
        buffer.removeAll()
        buffer.append("\",\"event.dataset\":" as StaticString)
        buffer.appendJSONString(serviceName + ".log")
        afterEvent = buffer.array()
        buffer.removeAll()
        buffer.append(",\"process.pid\":" as StaticString)
        buffer.appendDecimal(processID)
        process = buffer.array()
    }

    /// Appends the line with its line feed to the thread's scratch buffer.
    func encode(
        _ event: LogEvent, _ message: String, _ fields: [Attribute], context: TelemetryContext,
        wallNanoseconds: UInt64, into state: inout ThreadState
    ) {
        state.scratch.append("{\"@timestamp\":\"" as StaticString)
        state.appendTimestamp(wallNanoseconds: wallNanoseconds)
        switch event.level {
        case .debug: state.scratch.append("\",\"log.level\":\"debug\",\"message\":\"" as StaticString)
        case .info: state.scratch.append("\",\"log.level\":\"info\",\"message\":\"" as StaticString)
        case .warn: state.scratch.append("\",\"log.level\":\"warn\",\"message\":\"" as StaticString)
        case .error: state.scratch.append("\",\"log.level\":\"error\",\"message\":\"" as StaticString)
        }
        state.scratch.appendJSONEscaped(message, limit: Self.maxMessageBytes)
        state.scratch.append(afterMessage)
        state.scratch.appendJSONEscaped(event.name)
        state.scratch.append(afterEvent)
        if let span = context.span {
            state.scratch.append(",\"trace.id\":\"" as StaticString)
            state.scratch.appendHex(span.traceID.high)
            state.scratch.appendHex(span.traceID.low)
            state.scratch.append("\",\"span.id\":\"" as StaticString)
            state.scratch.appendHex(span.spanID.value)
            state.scratch.append(UInt8(ascii: "\""))
        }
        if let id = context.requestID {
            state.scratch.append(",\"http.request.id\":\"" as StaticString)
            state.scratch.appendJSONEscaped(id, limit: Self.maxValueBytes)
            state.scratch.append(UInt8(ascii: "\""))
        }
        state.scratch.append(process)
        Self.append(fields, context: context, to: &state.scratch)
        state.scratch.append("}\n" as StaticString)
    }

    private static func append(_ fields: [Attribute], context: TelemetryContext, to buffer: inout ByteBuffer) {
        fields.withUnsafeBufferPointer { fields in
            for index in 0..<min(fields.count, maxFields) {
                let key = fields[index].key
                // JSON with a key twice is not JSON for everybody: the first one stays.
                if isRepeated(key, in: fields, before: index) { continue }
                if key.traits.contains(.contextual) {
                    if key.name == "http.request.id" ? context.requestID != nil : context.span != nil { continue }
                }
                buffer.append(",\"" as StaticString)
                if key.traits.contains(.needsRewriting) {
                    buffer.appendJSONEscaped(key.rewrittenName, limit: maxValueBytes)
                } else {
                    buffer.append(key.name)
                }
                buffer.append("\":" as StaticString)
                if key.traits.contains(.sensitive) {
                    buffer.append("\"[redacted]\"" as StaticString)
                } else {
                    append(fields[index].value, to: &buffer)
                }
            }
        }
    }

    @inline(__always)
    private static func isRepeated(
        _ key: AttributeKey, in fields: UnsafeBufferPointer<Attribute>, before end: Int
    ) -> Bool {
        for index in 0..<end where fields[index].key == key { return true }
        return false
    }

    private static func append(_ value: AttributeValue, to buffer: inout ByteBuffer) {
        switch value {
        case .string(let text): buffer.appendJSONString(text, limit: maxValueBytes)
        case .int(let number): buffer.appendDecimal(number)
        case .bool(let flag): buffer.append(flag ? "true" : "false" as StaticString)
        case .double(let number):
            if number.isFinite {
                buffer.appendNumber(number)
            } else {
                buffer.append(UInt8(ascii: "\""))
                buffer.appendNumber(number)
                buffer.append(UInt8(ascii: "\""))
            }
        case .strings(let texts):
            buffer.append(UInt8(ascii: "["))
            for (index, text) in texts.prefix(maxFields).enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                buffer.appendJSONString(text, limit: maxValueBytes)
            }
            buffer.append(UInt8(ascii: "]"))
        }
    }
}
