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
            // The digits are written 16 in a row, then spread from the end to make room for the hyphens.
            HexText.write(high, to: buffer, at: 0)
            HexText.write(low, to: buffer, at: 16)
            for (target, source, length) in [(24, 20, 12), (19, 16, 4), (14, 12, 4), (9, 8, 4)] {
                for index in (0..<length).reversed() { buffer[target + index] = buffer[source + index] }
                buffer[target - 1] = UInt8(ascii: "-")
            }
            return 36
        }
    }
}
