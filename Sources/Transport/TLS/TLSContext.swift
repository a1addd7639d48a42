internal import COpenSSL

/// What TLS clients trust and who they say they are (TLS 1.2 and 1.3; RFC 5246, RFC 8446). The peer's certificate and its
/// name are always verified.
///
/// Safety (`@unchecked Sendable`): changed in `init` only; OpenSSL counts references to it atomically.
package final class TLSContext: @unchecked Sendable {
    /// Files in PEM form; their paths are settings.
    package struct Files: Equatable, Sendable {
        /// The authorities that are trusted instead of those of the system.
        package var authorities: String?
        /// Ours, with the certificates between it and its authority.
        package var certificate: String?
        /// The key of `certificate`, without a passphrase.
        package var key: String?

        package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
        }
    }

    let pointer: OpaquePointer

    /// - Throws: `TLSError` that names the file which cannot be used, never what is in it.
    package init(_ files: Files = Files()) throws(TLSError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw TLSError(.handshakeFailed, "OpenSSL gives no context: \(TLSError.takeMessage())")
        }
        pointer = context
        // What the macros of OpenSSL's header do.
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0, nil)
        SSL_CTX_set_options(context, Self.noRenegotiation | Self.noCompression)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_default_passwd_cb(context, giveNoPassphrase)
        try load(files)
    }

    deinit { SSL_CTX_free(pointer) }

    /// `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_NO_COMPRESSION`, whose macros are no constants for Swift.
    private static let noRenegotiation: UInt64 = 1 << 30
    private static let noCompression: UInt64 = 1 << 17

    private func load(_ files: Files) throws(TLSError) {
        if let path = files.authorities {
            guard SSL_CTX_load_verify_locations(pointer, path, nil) == 1 else {
                throw unusable(path, "certificates in PEM form")
            }
        } else {
            SSL_CTX_set_default_verify_paths(pointer)
        }
        guard files.certificate != nil || files.key != nil else { return }
        guard let certificate = files.certificate, let key = files.key else {
            throw TLSError(.unusableFile, "a client's certificate and its key belong together: one of them is missing")
        }
        guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
            throw unusable(certificate, "a certificate in PEM form")
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1 else {
            throw unusable(key, "the key of the client's certificate in PEM form, without a passphrase")
        }
        guard SSL_CTX_check_private_key(pointer) == 1 else {
            throw TLSError(.unusableFile, "the client's key does not belong to its certificate")
        }
    }

    private func unusable(_ path: String, _ what: String) -> TLSError {
        TLSError(.unusableFile, "\(path) cannot be read or does not hold \(what): \(TLSError.takeMessage())")
    }
}

/// Instead of OpenSSL's own, which asks on the terminal.
private func giveNoPassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isWriting: Int32, _ data: UnsafeMutableRawPointer?
) -> Int32 { -1 }
