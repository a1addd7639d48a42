/// The `X-Request-ID` of a request: the caller's own when it is harmless, a random UUID otherwise.
enum RequestID {
    private static let maxBytes = 128

    /// 1 to 128 characters of `[A-Za-z0-9._-]`: nothing that could break a header, a log line or a query.
    static func isWellFormed(_ text: String) -> Bool {
        let count = text.utf8.count
        guard count >= 1, count <= maxBytes else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    /// A version 4 UUID (RFC 9562) in lower case.
    static func make() -> String {
        let state = ThreadState.current
        let high = state.pointee.random.next() & ~0xF000 | 0x4000
        let low = state.pointee.random.next() & ~(0xC << 60) | 0x8 << 60
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var target = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    buffer[target] = UInt8(ascii: "-")
                    target += 1
                }
                let word = digit < 16 ? high : low
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (digit & 15))) & 0xF
                buffer[target] = ByteBuffer.hexDigit(nibble)
                target += 1
            }
            return 36
        }
    }
}
