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
            guard let base = buffer.baseAddress else { return 0 }
            let text = UnsafeMutableRawPointer(base)
            func write(_ digits: UInt64, at offset: Int) {
                text.storeBytes(of: digits, toByteOffset: offset, as: UInt64.self)
            }
            // Eight digits at a time, of which some have a hyphen in their middle; each hyphen comes after what it stands on.
            let digits = (
                ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: high >> 32)),
                ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: high)),
                ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: low >> 32)),
                ByteBuffer.hexDigits(UInt32(truncatingIfNeeded: low))
            )
            write(digits.0, at: 0)
            write(digits.1, at: 9)
            write(digits.1 >> 32, at: 14)
            write(digits.2, at: 19)
            write(digits.2 >> 32, at: 24)
            write(digits.3, at: 28)
            for hyphen in [8, 13, 18, 23] { buffer[hyphen] = UInt8(ascii: "-") }
            return 36
        }
    }
}
