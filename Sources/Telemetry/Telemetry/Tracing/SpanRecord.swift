/// What a span was told so far. Attributes, events and links are kept as the bytes that OTLP puts on the wire: they are
/// encoded once, when they are set, and no object is made for them.
///
/// Records are recycled by the thread that lets a span go, so that a span in the steady state allocates itself only.
struct SpanRecord: ~Copyable {
    var name = ""
    var status = SpanStatus.unset
    /// Fields 9 (attributes), 11 (events) and 13 (links) of an OTLP `Span`, in the order in which they came.
    var body = ByteBuffer(capacity: SpanRecord.usualBytes)
    /// Two bits for each attribute (a Bloom filter): a key one of whose bits is clear has not been set yet.
    private(set) var seenKeys: UInt64 = 0
    var attributeCount = 0
    var eventCount = 0
    var linkCount = 0
    var droppedAttributes = 0
    var droppedEvents = 0
    var droppedLinks = 0
    var endWallNanoseconds: UInt64 = 0
    var isEnded = false
    fileprivate var next: UnsafeMutablePointer<SpanRecord>?

    /// Room for the attributes of a usual span.
    private static let usualBytes = 512
    /// What a recycled record keeps: one large span does not hold memory for ever.
    private static let keptBytes = 4 * 1024

    static let attributeTag: UInt8 = 9 << 3 | 2

    fileprivate mutating func reset() {
        name = ""
        status = .unset
        body.removeAll()
        body.shrink(to: Self.keptBytes)
        seenKeys = 0
        attributeCount = 0
        eventCount = 0
        linkCount = 0
        droppedAttributes = 0
        droppedEvents = 0
        droppedLinks = 0
        endWallNanoseconds = 0
        isEnded = false
    }

    // MARK: Attributes

    /// Whether an attribute may be appended; one of the same key has been taken away.
    @inline(__always)
    private mutating func admits(_ key: AttributeKey, _ limits: SpanLimits) -> Bool {
        let bits = key.filterBits
        // The new value takes the place of the old one.
        if seenKeys & bits == bits, removeAttribute(key.name) { return true }
        guard attributeCount < limits.attributes else {
            droppedAttributes &+= 1
            return false
        }
        seenKeys |= bits
        attributeCount &+= 1
        return true
    }

    mutating func set(_ key: AttributeKey, text: String, _ limits: SpanLimits) {
        guard admits(key, limits) else { return }
        body.appendAttribute(9, key.name, text: limits.limited(key.shown(text)))
    }

    mutating func set(_ key: AttributeKey, integer: Int, _ limits: SpanLimits) {
        guard !key.isSensitive else { return set(key, text: Redaction.text, limits) }
        guard admits(key, limits) else { return }
        body.appendAttribute(9, key.name, integer: integer)
    }

    mutating func set(_ key: AttributeKey, _ value: AttributeValue, _ limits: SpanLimits) {
        switch value {
        case .string(let text): return set(key, text: text, limits)
        case .int(let number): return set(key, integer: number, limits)
        default: break
        }
        guard admits(key, limits) else { return }
        body.appendAttribute(9, key, limits.limited(key.shown(value)))
    }

    mutating func set(_ prepared: PreparedAttributes, _ limits: SpanLimits) {
        let count = attributeCount &+ prepared.count
        // One of the same key may be there already, or there may be too many: one by one.
        guard seenKeys & prepared.seenKeys == 0, count <= limits.attributes else {
            for attribute in prepared.attributes { set(attribute.key, attribute.value, limits) }
            return
        }
        body.append(prepared.bytes)
        seenKeys |= prepared.seenKeys
        attributeCount = count
    }

    /// Takes an attribute away.
    /// - Returns: false when there is none: the bits were those of other keys.
    @inline(never)
    private mutating func removeAttribute(_ name: String) -> Bool {
        var name = name
        let found: Range<Int>? = name.withUTF8 { name in
            var offset = 0
            while offset < body.count {
                let start = offset
                let tag = body.base[offset]
                offset += 1
                let length = varint(&offset)
                let end = offset + length
                if tag == Self.attributeTag {
                    offset += 1  // the tag of the key
                    if varint(&offset) == name.count,
                        name.elementsEqual(UnsafeBufferPointer(start: body.base + offset, count: name.count))
                    {
                        return start..<end
                    }
                }
                offset = end
            }
            return nil
        }
        guard let found else { return false }
        let rest = body.count - found.upperBound
        UnsafeMutableRawPointer(body.base + found.lowerBound).copyMemory(
            from: body.base + found.upperBound, byteCount: rest)
        body.count = found.lowerBound + rest
        return true
    }

    /// A varint that this record wrote.
    private func varint(_ offset: inout Int) -> Int {
        var result = 0
        var shift = 0
        while true {
            let byte = body.base[offset]
            offset += 1
            result |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return result }
            shift += 7
        }
    }

    // MARK: Events and links

    mutating func addEvent(
        _ name: String, _ attributes: [Attribute], wallNanoseconds: UInt64, _ limits: SpanLimits
    ) {
        guard eventCount < limits.events else {
            droppedEvents += 1
            return
        }
        eventCount += 1
        body.appendMessage(11, expectedLengthBytes: 1) {
            $0.appendField(1, fixed64: wallNanoseconds)
            $0.appendField(2, limits.limited(name))
            $0.append(attributes, field: 3, droppedField: 4, limit: limits.eventAttributes, limits)
        }
    }

    mutating func addLink(_ link: SpanLink, _ limits: SpanLimits) {
        guard linkCount < limits.links else {
            droppedLinks += 1
            return
        }
        linkCount += 1
        body.appendMessage(13, expectedLengthBytes: 1) {
            $0.appendField(1, traceID: link.context.traceID)
            $0.appendField(2, spanID: link.context.spanID)
            if !link.context.traceState.isEmpty { $0.appendField(3, link.context.traceState) }
            $0.append(link.attributes, field: 4, droppedField: 5, limit: limits.linkAttributes, limits)
            $0.appendField(6, fixed32: link.context.otlpFlags(isRemote: link.context.isRemote))
        }
    }
}

extension ByteBuffer {
    /// The attributes of an event or a link, each key once and with its last value, and how many were too many.
    fileprivate mutating func append(
        _ attributes: [Attribute], field: Int, droppedField: Int, limit: Int, _ limits: SpanLimits
    ) {
        let attributes = attributes.withUniqueKeys
        for attribute in attributes.prefix(limit) {
            appendAttribute(field, attribute.key, limits.limited(attribute.key.shown(attribute.value)))
        }
        if attributes.count > limit { appendField(droppedField, varint: UInt64(attributes.count - limit)) }
    }
}

extension [Attribute] {
    /// Without those whose key comes again, which nearly nobody's does.
    fileprivate var withUniqueKeys: [Attribute] {
        var seenKeys: UInt64 = 0
        for attribute in self {
            let bits = attribute.key.filterBits
            guard seenKeys & bits != bits else { return lastOfEachKey }
            seenKeys |= bits
        }
        return self
    }

    private var lastOfEachKey: [Attribute] {
        var last: [AttributeKey: Int] = [:]
        for (index, attribute) in enumerated() { last[attribute.key] = index }
        return enumerated().filter { last[$1.key] == $0 }.map(\.element)
    }
}

extension AttributeKey {
    /// Two bits of the name's hash, for a Bloom filter.
    @inline(__always)
    fileprivate var filterBits: UInt64 { 1 << UInt64(fingerprint & 63) | 1 << UInt64(fingerprint >> 6 & 63) }
}

extension SpanContext {
    /// Bits 0–7 are the W3C trace flags, bit 8 says that bit 9 (the other span is remote) is known.
    @inline(__always)
    func otlpFlags(isRemote: Bool?) -> UInt32 {
        var flags: UInt32 = (isSampled ? 1 : 0) | (isRandom ? 2 : 0)
        if let isRemote { flags |= isRemote ? 0x300 : 0x100 }
        return flags
    }
}

/// The records that a thread keeps for its next spans.
struct SpanRecordPool: ~Copyable {
    private var first: UnsafeMutablePointer<SpanRecord>?
    private var count = 0

    /// Records that a thread keeps; spans that are alive at once beyond it allocate theirs.
    private static let maxKept = 256

    init() {}

    deinit {
        var record = first
        while let current = record {
            record = current.pointee.next
            current.deinitialize(count: 1)
            current.deallocate()
        }
    }

    mutating func take() -> UnsafeMutablePointer<SpanRecord> {
        if let record = first {
            first = record.pointee.next
            count &-= 1
            return record
        }
        let record = UnsafeMutablePointer<SpanRecord>.allocate(capacity: 1)
        record.initialize(to: SpanRecord())
        return record
    }

    mutating func give(_ record: UnsafeMutablePointer<SpanRecord>) {
        guard count < Self.maxKept else {
            record.deinitialize(count: 1)
            record.deallocate()
            return
        }
        record.pointee.reset()
        record.pointee.next = first
        first = record
        count &+= 1
    }
}
