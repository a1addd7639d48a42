internal import COpenSSL

/// The primitives that the platform needs, each through OpenSSL, each checked.
package enum Crypto {
    /// Random bytes of the operating system's generator. Traps when there is no randomness: nothing safe can go on.
    package static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(RAND_bytes(&bytes, Int32(count)) == 1, "the random generator failed")
        return bytes
    }

    /// URL-safe base64 without padding, of that many random bytes.
    package static func randomToken(bytes: Int) -> String { Base64URL.encode(randomBytes(bytes)) }

    /// SHA-256 in lower-case hexadecimal.
    package static func sha256Hex(_ text: String) -> String { hex(sha256(Array(text.utf8))) }

    /// SHA-256 (FIPS 180-4): 32 bytes.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        precondition(
            EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil) == 1, "SHA-256 is not available")
        return digest
    }

    /// HMAC with SHA-256 (RFC 2104): 32 bytes.
    package static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        HMACKey(key).authenticationCode(message)
    }

    /// Compares in a time that depends on the lengths only.
    package static func constantTimeEquals(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }

    /// base64url without padding (RFC 4648, section 5).
    package static func base64URLEncode(_ bytes: [UInt8]) -> String { Base64URL.encode(bytes) }
    /// Nil for anything but the canonical spelling.
    package static func base64URLDecode(_ text: some StringProtocol) -> [UInt8]? { Base64URL.decode(text.utf8) }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
