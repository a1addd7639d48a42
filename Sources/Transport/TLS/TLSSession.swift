internal import COpenSSL
internal import Glibc

/// The client's side of one TLS connection, without a socket: whoever owns it carries the bytes in both directions, on a
/// loop or on a thread. Confined to its owner.
package final class TLSSession {
    private let session: OpaquePointer
    /// Owned by the session: what came from the peer, and what is to go there.
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let host: String
    private let context: TLSContext
    /// Whether the peer has said that no more will come.
    package private(set) var hasEnded = false

    /// A record's plain text at most (RFC 8446, section 5.1): that much is encrypted at once.
    package static let recordBytes = 16 * 1024

    /// - Parameter host: whose certificate it must be; a name, which the peer is told (SNI), or an address.
    /// - Throws: `TLSError` when OpenSSL has no memory or the name cannot be one.
    package init(_ context: TLSContext, host: String) throws(TLSError) {
        guard let session = context.makeSession(), let input = BIO_new(BIO_s_mem()),
            let output = BIO_new(BIO_s_mem())
        else { throw TLSError(.handshakeFailed, "OpenSSL gives no session: \(TLSError.takeMessage())") }
        self.context = context
        self.session = session
        self.input = input
        self.output = output
        self.host = host
        SSL_set_bio(session, input, output)
        SSL_set_connect_state(session)
        let isSet: Bool
        if Self.isAddress(host) {
            isSet = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1
        } else {
            SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            var name = Array(host.utf8CString)
            let isTold = name.withUnsafeMutableBytes {
                // What the macro `SSL_set_tlsext_host_name` does.
                SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), $0.baseAddress) == 1
            }
            isSet = isTold && SSL_set1_host(session, host) == 1
        }
        guard isSet else { throw TLSError(.wrongHost, "'\(host)' cannot be the name of a peer") }
    }

    deinit { SSL_free(session) }

    private static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    // MARK: The peer's bytes

    /// Takes bytes that came from the peer; `handshake` or `read` make something of them.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(Int32.max)))
            let count = BIO_write(input, piece.baseAddress, Int32(piece.count))
            // A buffer in memory takes everything; without memory the handshake or a record will be broken.
            guard count > 0 else { return }
            rest = rest.dropFirst(Int(count))
        }
    }

    /// Calls `body` with what is to go to the peer, piece by piece.
    package func takeOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: Self.recordBytes + 1_024, alignment: 8) { buffer in
            while case let count = BIO_read(output, buffer.baseAddress, Int32(buffer.count)), count > 0 {
                body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
            }
        }
    }

    // MARK: Speaking

    /// Goes on with the handshake as far as the peer's bytes reach. Whatever it returns or throws, there may be output.
    /// - Returns: whether it is complete.
    /// - Throws: `TLSError` when the peer is not to be trusted or does not speak TLS.
    package func handshake() throws(TLSError) -> Bool {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 { return true }
        if SSL_get_error(session, result) == SSL_ERROR_WANT_READ { return false }
        let verification = SSL_get_verify_result(session)
        if verification != Int(X509_V_OK) {
            ERR_clear_error()
            throw TLSError.verification(verification, host: host)
        }
        throw TLSError(.handshakeFailed, "no TLS with \(host): \(TLSError.takeMessage())")
    }

    /// Calls `body` with what the peer said, piece by piece.
    /// - Throws: `TLSError` when its bytes make no sense or it broke off.
    package func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(TLSError) {
        guard !hasEnded else { return }
        var failure: TLSError?
        withUnsafeTemporaryAllocation(byteCount: Self.recordBytes, alignment: 8) { buffer in
            while true {
                ERR_clear_error()
                let count = SSL_read(session, buffer.baseAddress, Int32(buffer.count))
                if count > 0 {
                    body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
                    continue
                }
                switch SSL_get_error(session, count) {
                case SSL_ERROR_WANT_READ: break
                case SSL_ERROR_ZERO_RETURN: hasEnded = true
                default: failure = TLSError(.protocolViolation, "TLS with \(host) broke off: \(TLSError.takeMessage())")
                }
                return
            }
        }
        if let failure { throw failure }
    }

    /// Encrypts what is to be said; at most `recordBytes` at once.
    /// - Throws: `TLSError` before the handshake is complete or after the session failed.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        guard !bytes.isEmpty else { return }
        ERR_clear_error()
        let count = SSL_write(session, bytes.baseAddress, Int32(bytes.count))
        guard count == Int32(bytes.count) else {
            throw TLSError(.protocolViolation, "nothing can be sent to \(host): \(TLSError.takeMessage())")
        }
    }

    /// Says that no more will come (`close_notify`).
    package func end() {
        ERR_clear_error()
        SSL_shutdown(session)
        ERR_clear_error()
    }
}
