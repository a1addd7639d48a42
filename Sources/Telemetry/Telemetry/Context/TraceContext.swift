/// The 16-byte identifier of a trace (W3C Trace Context, section 3.2.2.3).
package struct TraceID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The all-zero identifier is invalid.
    package var isValid: Bool { high | low != 0 }

    /// 32 lower-case hexadecimal digits.
    package var description: String { HexText.string(high) + HexText.string(low) }

    /// Writes the digits of `description`; the buffer has 32 bytes.
    package func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        HexText.write(high, to: buffer, at: 0)
        HexText.write(low, to: buffer, at: 16)
    }

    /// - Parameter hex: 32 lower-case hexadecimal digits that are not all zero; nil otherwise.
    package init?(hex: String) {
        guard hex.utf8.count == 32, let high = HexText.value(hex.utf8.prefix(16)),
            let low = HexText.value(hex.utf8.suffix(16)), high | low != 0
        else { return nil }
        self.init(high: high, low: low)
    }
}

/// The 8-byte identifier of a span (W3C Trace Context, section 3.2.2.4).
package struct SpanID: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// The all-zero identifier is invalid.
    package var isValid: Bool { value != 0 }

    /// 16 lower-case hexadecimal digits.
    package var description: String { HexText.string(value) }

    /// - Parameter hex: 16 lower-case hexadecimal digits that are not all zero; nil otherwise.
    package init?(hex: String) {
        guard hex.utf8.count == 16, let value = HexText.value(hex.utf8[...]), value != 0 else { return nil }
        self.init(value)
    }
}

/// What crosses a process boundary about a span: its identity, whether it is sampled, and the vendors' state.
package struct SpanContext: Sendable {
    package var traceID: TraceID
    package var spanID: SpanID
    package var isSampled: Bool
    /// Whether the right-most 7 bytes of the trace identifier are random (level 2, flag 0x02); passed on unchanged.
    package var isRandom: Bool
    /// Whether the span lives in another process; not part of its identity.
    package var isRemote: Bool
    /// Whether the span is recorded in this process; not part of its identity, and never told to anybody.
    package var isRecording = false
    /// The `tracestate` header, already validated; empty when there is none.
    package var traceState: String

    /// Whether both identifiers are: only then is there a span.
    package var isValid: Bool { traceID.isValid && spanID.isValid }

    package init(
        traceID: TraceID, spanID: SpanID, isSampled: Bool, traceState: String = "", isRandom: Bool = false,
        isRemote: Bool = false
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.isRandom = isRandom
        self.isRemote = isRemote
        self.traceState = traceState
    }
}

extension SpanContext: Hashable {
    package static func == (a: SpanContext, b: SpanContext) -> Bool {
        a.traceID == b.traceID && a.spanID == b.spanID && a.isSampled == b.isSampled && a.traceState == b.traceState
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(traceID)
        hasher.combine(spanID)
    }
}

/// Identifiers as lower-case hexadecimal text.
enum HexText {
    static func string(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            write(value, to: buffer, at: 0)
            return 16
        }
    }

    /// Writes 16 digits.
    static func write(_ value: UInt64, to buffer: UnsafeMutableBufferPointer<UInt8>, at offset: Int) {
        guard let base = buffer.baseAddress else { return }
        let target = UnsafeMutableRawPointer(base + offset)
        target.storeBytes(of: ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: value >> 32)), as: UInt64.self)
        target.storeBytes(
            of: ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: value)), toByteOffset: 8, as: UInt64.self)
    }

    /// The value of at most 16 lower-case digits, or nil when one is anything else.
    static func value(_ digits: some Collection<UInt8>) -> UInt64? {
        var result: UInt64 = 0
        for byte in digits {
            let nibble: UInt8
            switch byte {
            case 0x30...0x39: nibble = byte &- 0x30
            case 0x61...0x66: nibble = byte &- 0x57
            default: return nil
            }
            result = result << 4 | UInt64(nibble)
        }
        return result
    }
}
