internal import Telemetry

/// The wire format of Protocol Buffers, written front to back into the buffer.
extension ByteBuffer {
    private enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func appendTag(_ field: Int, _ type: WireType) {
        appendVarint(UInt64(field) << 3 | UInt64(type.rawValue))
    }

    mutating func appendField(_ field: Int, varint value: UInt64) {
        appendTag(field, .varint)
        appendVarint(value)
    }

    mutating func appendField(_ field: Int, fixed64 value: UInt64) {
        appendTag(field, .fixed64)
        appendLittleEndian(value)
    }

    mutating func appendField(_ field: Int, fixed32 value: UInt32) {
        appendTag(field, .fixed32)
        for shift in [0, 8, 16, 24] as [UInt32] { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func appendField(_ field: Int, _ text: String) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(text.utf8.count))
        append(text)
    }

    mutating func appendField(_ field: Int, traceID: TraceID) {
        appendTag(field, .lengthDelimited)
        append(16)
        appendBigEndian(traceID.high)
        appendBigEndian(traceID.low)
    }

    mutating func appendField(_ field: Int, spanID: SpanID) {
        appendTag(field, .lengthDelimited)
        append(8)
        appendBigEndian(spanID.value)
    }

    mutating func appendField(_ field: Int, double value: Double) { appendField(field, fixed64: value.bitPattern) }

    mutating func appendField(_ field: Int, message bytes: [UInt8]) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(bytes.count))
        append(bytes)
    }

    /// Appends a nested message whose length is known afterwards only: `expectedLengthBytes` are left for it, and
    /// the body moves when that was wrong.
    mutating func appendMessage(
        _ field: Int, expectedLengthBytes: Int, _ body: (inout ByteBuffer) -> Void
    ) {
        let mark = beginMessage(field, expectedLengthBytes: expectedLengthBytes)
        body(&self)
        endMessage(mark)
    }

    /// A nested message that has begun.
    struct MessageMark {
        fileprivate let bodyStart: Int
        fileprivate let lengthBytes: Int
    }

    mutating func beginMessage(_ field: Int, expectedLengthBytes: Int) -> MessageMark {
        appendTag(field, .lengthDelimited)
        reserve(expectedLengthBytes)
        count += expectedLengthBytes
        return MessageMark(bodyStart: count, lengthBytes: expectedLengthBytes)
    }

    mutating func endMessage(_ mark: MessageMark) {
        let length = count - mark.bodyStart
        let lengthBytes = ByteBuffer.varintLength(UInt64(length))
        let start = mark.bodyStart - mark.lengthBytes
        if lengthBytes != mark.lengthBytes {
            if lengthBytes > mark.lengthBytes { reserve(lengthBytes - mark.lengthBytes) }
            let moved = UnsafeMutableRawPointer(base + start + lengthBytes)
            moved.copyMemory(from: base + mark.bodyStart, byteCount: length)
        }
        count = start
        appendVarint(UInt64(length))
        count += length
    }

    static func varintLength(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }

    private mutating func appendLittleEndian(_ value: UInt64) {
        reserve(8)
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt64.self)
        count += 8
    }

    private mutating func appendBigEndian(_ value: UInt64) {
        reserve(8)
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.bigEndian, as: UInt64.self)
        count += 8
    }
}
