/// The wire format of Protocol Buffers, written front to back into the buffer.
extension ByteBuffer {
    private enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    /// Appends a base-128 varint.
    @inlinable @inline(__always)
    package mutating func appendVarint(_ value: UInt64) {
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

    /// Appends an integer, a boolean or an enumeration.
    package mutating func appendField(_ field: Int, varint value: UInt64) {
        appendTag(field, .varint)
        appendVarint(value)
    }

    /// Appends a signed integer that is small in magnitude (`sint32`, `sint64`).
    package mutating func appendField(_ field: Int, zigzag value: Int) {
        appendTag(field, .varint)
        appendZigzag(Int64(value))
    }

    /// Appends a signed integer as a varint: 0, -1, 1, -2, … are 0, 1, 2, 3, …
    package mutating func appendZigzag(_ value: Int64) { appendVarint(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Appends eight bytes, the lowest first.
    package mutating func appendField(_ field: Int, fixed64 value: UInt64) {
        appendTag(field, .fixed64)
        appendLittleEndian(value)
    }

    /// Appends four bytes, the lowest first.
    package mutating func appendField(_ field: Int, fixed32 value: UInt32) {
        appendTag(field, .fixed32)
        appendLittleEndian(value)
    }

    /// Appends text.
    package mutating func appendField(_ field: Int, _ text: String) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(text.utf8.count))
        append(text)
    }

    /// Appends 16 bytes.
    package mutating func appendField(_ field: Int, traceID: TraceID) {
        appendTag(field, .lengthDelimited)
        append(16)
        appendBigEndian(traceID.high)
        appendBigEndian(traceID.low)
    }

    /// Appends 8 bytes.
    package mutating func appendField(_ field: Int, spanID: SpanID) {
        appendTag(field, .lengthDelimited)
        append(8)
        appendBigEndian(spanID.value)
    }

    /// Appends a floating-point number.
    package mutating func appendField(_ field: Int, double value: Double) {
        appendField(field, fixed64: value.bitPattern)
    }

    /// Appends a nested message or bytes.
    package mutating func appendField(_ field: Int, message bytes: [UInt8]) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(bytes.count))
        append(bytes)
    }

    /// Appends bytes, or text as its bytes.
    package mutating func appendField(_ field: Int, bytes: ArraySlice<UInt8>) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(bytes.count))
        bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { append(start, count: source.count) }
        }
    }

    /// Appends the head of a nested message whose length is known; its `length` bytes must follow.
    package mutating func appendMessageHead(_ field: Int, length: Int) {
        appendTag(field, .lengthDelimited)
        appendVarint(UInt64(length))
    }

    /// Appends a nested message whose length is known afterwards only: `expectedLengthBytes` are left for it, and
    /// the body moves when that was wrong.
    package mutating func appendMessage(
        _ field: Int, expectedLengthBytes: Int, _ body: (inout ByteBuffer) -> Void
    ) {
        let mark = beginMessage(field, expectedLengthBytes: expectedLengthBytes)
        body(&self)
        endMessage(mark)
    }

    /// A nested message that has begun.
    package struct MessageMark {
        fileprivate let bodyStart: Int
        fileprivate let lengthBytes: Int
    }

    /// Begins a nested message; `endMessage` must follow.
    package mutating func beginMessage(_ field: Int, expectedLengthBytes: Int) -> MessageMark {
        appendTag(field, .lengthDelimited)
        reserve(expectedLengthBytes)
        count += expectedLengthBytes
        return MessageMark(bodyStart: count, lengthBytes: expectedLengthBytes)
    }

    /// Ends the nested message that was begun last.
    package mutating func endMessage(_ mark: MessageMark) {
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

    /// Bytes that a varint takes.
    @inline(__always)
    package static func varintLength(_ value: UInt64) -> Int {
        value < 0x80 ? 1 : (70 &- value.leadingZeroBitCount) / 7
    }

    /// Appends eight bytes, the lowest first.
    @inline(__always)
    package mutating func appendLittleEndian(_ value: UInt64) {
        reserve(8)
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt64.self)
        count &+= 8
    }

    /// Appends four bytes, the lowest first.
    @inline(__always)
    package mutating func appendLittleEndian(_ value: UInt32) {
        reserve(4)
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt32.self)
        count &+= 4
    }

    /// Appends eight bytes, the highest first.
    @inline(__always)
    package mutating func appendBigEndian(_ value: UInt64) {
        reserve(8)
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.bigEndian, as: UInt64.self)
        count &+= 8
    }
}
