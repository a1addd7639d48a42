internal import COpenSSL

/// A key for HMAC with SHA-256 (RFC 2104) whose set-up is done once: the states after the padded key are kept, and
/// copied for each message.
///
/// Safety (`@unchecked Sendable`): the two states are written in `init` only; OpenSSL lets any number of threads copy
/// from a context that nobody changes.
final class HMACKey: @unchecked Sendable {
    private let inner: OpaquePointer
    private let outer: OpaquePointer

    static let length = 32
    private static let blockBytes = 64
    /// Looked up once: by name it takes longer than the digest of a token.
    private static let sha256 = Digest()

    /// The implementation of SHA-256 that OpenSSL chose.
    ///
    /// Safety (`@unchecked Sendable`): an immutable object of OpenSSL that lives as long as the process.
    private struct Digest: @unchecked Sendable {
        let pointer: OpaquePointer
        init() {
            guard let digest = EVP_MD_fetch(nil, "SHA256", nil) else { fatalError("SHA-256 is not available") }
            pointer = digest
        }
    }

    init(_ key: [UInt8]) {
        let block = key.count > Self.blockBytes ? Crypto.sha256(key) : key
        let padded = block + [UInt8](repeating: 0, count: Self.blockBytes - block.count)
        inner = Self.state(after: padded.map { $0 ^ 0x36 })
        outer = Self.state(after: padded.map { $0 ^ 0x5C })
    }

    deinit {
        EVP_MD_CTX_free(inner)
        EVP_MD_CTX_free(outer)
    }

    /// The 32 bytes that authenticate a message.
    func authenticationCode(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { fatalError("OpenSSL is out of memory") }
        defer { EVP_MD_CTX_free(context) }
        return [UInt8](unsafeUninitializedCapacity: Self.length) { digest, count in
            var isDone =
                EVP_MD_CTX_copy_ex(context, inner) == 1
                && EVP_DigestUpdate(context, message.baseAddress, message.count) == 1
                && EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1
            isDone =
                isDone && EVP_MD_CTX_copy_ex(context, outer) == 1
                && EVP_DigestUpdate(context, digest.baseAddress, Self.length) == 1
                && EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1
            precondition(isDone, "SHA-256 failed")
            count = Self.length
        }
    }

    func authenticationCode(_ message: [UInt8]) -> [UInt8] {
        message.withUnsafeBufferPointer(authenticationCode)
    }

    private static func state(after block: [UInt8]) -> OpaquePointer {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, sha256.pointer, nil) == 1,
            EVP_DigestUpdate(context, block, block.count) == 1
        else { fatalError("SHA-256 is not available") }
        return context
    }
}
