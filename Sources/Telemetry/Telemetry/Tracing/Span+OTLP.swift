internal import Glibc

/// A span as OTLP puts it on the wire, and read back from there.
extension Span {
    /// Appends field 2 of a `ScopeSpans` message (OTLP 1.11): the whole span. Nothing for a span that records nothing.
    package func appendOTLP(to buffer: inout ByteBuffer) {
        guard let record else { return }
        var name = record.pointee.name
        name.withUTF8 { name in
            // All lengths are known: nothing that is written has to move.
            let traceState = context.traceState.utf8.count
            let status = Self.statusLength(record.pointee.status)
            var length = 18 &+ 10 &+ 2 &+ 9 &+ 9 &+ 6 &+ Self.fieldLength(name.count) &+ record.pointee.body.count
            if traceState > 0 { length &+= Self.fieldLength(traceState) }
            if parent != nil { length &+= 10 }
            if status > 0 { length &+= Self.fieldLength(status) }
            length &+= Self.countLength(record.pointee.droppedAttributes)
            length &+= Self.countLength(record.pointee.droppedEvents)
            length &+= Self.countLength(record.pointee.droppedLinks)
            // Room for all of it: the fixed fields are written without a check.
            buffer.reserve(length &+ 12)
            var at = buffer.base + buffer.count
            at.pointee = 2 << 3 | 2
            at = ByteBuffer.writeVarint(length, at + 1)
            let end = (at + length) - buffer.base
            at.pointee = 0x0A
            (at + 1).pointee = 16
            at = Self.write(context.traceID.high.bigEndian, at + 2)
            at = Self.write(context.traceID.low.bigEndian, at)
            at.pointee = 0x12
            (at + 1).pointee = 8
            at = Self.write(context.spanID.value.bigEndian, at + 2)
            if let parent {
                at.pointee = 0x22
                (at + 1).pointee = 8
                at = Self.write(parent.spanID.value.bigEndian, at + 2)
            }
            at.pointee = 0x2A
            at = ByteBuffer.writeVarint(name.count, at + 1)
            if let address = name.baseAddress { memcpy(at, address, name.count) }
            at += name.count
            at.pointee = 0x30
            (at + 1).pointee = UInt8(truncatingIfNeeded: kind.rawValue)
            (at + 2).pointee = 0x39
            at = Self.write(startWallNanoseconds.littleEndian, at + 3)
            at.pointee = 0x41
            at = Self.write(record.pointee.endWallNanoseconds.littleEndian, at + 1)
            memcpy(at, record.pointee.body.base, record.pointee.body.count)
            buffer.count = (at + record.pointee.body.count) - buffer.base
            if traceState > 0 { buffer.appendField(3, context.traceState) }
            Self.append(record.pointee.droppedAttributes, field: 10, to: &buffer)
            Self.append(record.pointee.droppedEvents, field: 12, to: &buffer)
            Self.append(record.pointee.droppedLinks, field: 14, to: &buffer)
            if status > 0 { Self.append(record.pointee.status, length: status, to: &buffer) }
            buffer.append(0x85)
            buffer.append(0x01)
            buffer.appendLittleEndian(context.otlpFlags(isRemote: parent?.isRemote))
            assert(buffer.count == end, "the length of a span was computed wrongly")
        }
    }

    @inline(__always)
    private static func write(_ word: UInt64, _ target: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(target).storeBytes(of: word, as: UInt64.self)
        return target + 8
    }

    /// A length-delimited field with a tag of one byte.
    private static func fieldLength(_ length: Int) -> Int {
        1 &+ ByteBuffer.varintLength(UInt64(length)) &+ length
    }

    /// A count that is left out when it is zero.
    private static func countLength(_ dropped: Int) -> Int {
        dropped > 0 ? 1 &+ ByteBuffer.varintLength(UInt64(dropped)) : 0
    }

    private static func append(_ dropped: Int, field: UInt64, to buffer: inout ByteBuffer) {
        guard dropped > 0 else { return }
        buffer.appendVarint(field << 3)
        buffer.appendVarint(UInt64(dropped))
    }

    /// The bytes of a `Status` message; zero when it is left out.
    private static func statusLength(_ status: SpanStatus) -> Int {
        switch status {
        case .unset: 0
        case .ok: 2
        case .error(let description): (description.isEmpty ? 0 : fieldLength(description.utf8.count)) + 2
        }
    }

    private static func append(_ status: SpanStatus, length: Int, to buffer: inout ByteBuffer) {
        buffer.appendMessageHead(15, length: length)
        switch status {
        case .unset: break
        case .ok: buffer.appendField(3, varint: 1)
        case .error(let description):
            if !description.isEmpty { buffer.appendField(2, description) }
            buffer.appendField(3, varint: 2)
        }
    }

    // MARK: Reading back

    /// The attributes as they will be exported, secrets replaced; in no particular order.
    package var attributes: [Attribute] { messages(9).compactMap { Attribute(otlp: $0) } }

    /// The events in the order in which they came.
    package var events: [SpanEvent] {
        messages(11).map { message in
            var (name, wall, attributes) = ("", UInt64(0), [Attribute]())
            var reader = ProtobufReader(message)
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (1, .fixed64(let nanoseconds)): wall = nanoseconds
                case (2, .bytes(let text)): name = String(decoding: text, as: UTF8.self)
                case (3, .bytes(let attribute)): attributes += Attribute(otlp: attribute).map { [$0] } ?? []
                default: break
                }
            }
            return SpanEvent(name: name, wallNanoseconds: wall, attributes: attributes)
        }
    }

    /// The links in the order in which they came.
    package var links: [SpanLink] {
        messages(13).map { message in
            var context = SpanContext(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0), isSampled: false)
            var attributes: [Attribute] = []
            var reader = ProtobufReader(message)
            while let field = reader.next() {
                switch (field.number, field.value) {
                case (1, .bytes(let id)):
                    context.traceID = TraceID(high: Self.bigEndian(id.prefix(8)), low: Self.bigEndian(id.suffix(8)))
                case (2, .bytes(let id)): context.spanID = SpanID(Self.bigEndian(id))
                case (3, .bytes(let text)): context.traceState = String(decoding: text, as: UTF8.self)
                case (4, .bytes(let attribute)): attributes += Attribute(otlp: attribute).map { [$0] } ?? []
                case (6, .fixed32(let flags)):
                    context.isSampled = flags & 1 != 0
                    context.isRandom = flags & 2 != 0
                    context.isRemote = flags & 0x200 != 0
                default: break
                }
            }
            return SpanLink(context, attributes: attributes)
        }
    }

    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// The nested messages of one field of the record.
    private func messages(_ field: Int) -> [ArraySlice<UInt8>] {
        var reader = ProtobufReader((record?.pointee.body.array() ?? [])[...])
        var found: [ArraySlice<UInt8>] = []
        while let next = reader.next() {
            if next.number == field, case .bytes(let message) = next.value { found.append(message) }
        }
        return found
    }
}

extension Attribute {
    /// Reads an OTLP `KeyValue`; nil when it has no value of a kind that attributes can have.
    package init?(otlp message: ArraySlice<UInt8>) {
        var (key, value) = ("", AttributeValue?.none)
        var reader = ProtobufReader(message)
        while let field = reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let text)): key = String(decoding: text, as: UTF8.self)
            case (2, .bytes(let any)): value = AttributeValue(otlp: any)
            default: break
            }
        }
        guard let value else { return nil }
        self.init(AttributeKey(key), value)
    }
}

extension AttributeValue {
    /// Reads an OTLP `AnyValue`.
    init?(otlp message: ArraySlice<UInt8>) {
        var reader = ProtobufReader(message)
        guard let field = reader.next() else { return nil }
        switch (field.number, field.value) {
        case (1, .bytes(let text)): self = .string(String(decoding: text, as: UTF8.self))
        case (2, .varint(let flag)): self = .bool(flag != 0)
        case (3, .varint(let bits)): self = .int(Int(Int64(bitPattern: bits)))
        case (4, .fixed64(let bits)): self = .double(Double(bitPattern: bits))
        case (5, .bytes(let array)):
            var texts: [String] = []
            var elements = ProtobufReader(array)
            while let element = elements.next() {
                if case .bytes(let any) = element.value, case .string(let text)? = AttributeValue(otlp: any) {
                    texts.append(text)
                }
            }
            self = .strings(texts)
        default: return nil
        }
    }
}
