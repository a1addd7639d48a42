internal import COpenSSL
internal import Glibc
internal import Synchronization

/// What TLS clients trust and who they say they are (TLS 1.2 and 1.3; RFC 5246, RFC 8446). The peer's certificate and its
/// name are always verified. Files that were replaced count from the next connection on, so that certificates are renewed
/// without a restart.
///
/// Safety (`@unchecked Sendable`): what changes is guarded by a lock; OpenSSL counts references to contexts atomically.
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

        fileprivate var stamps: [Stamp] { [authorities, certificate, key].compactMap { $0.map(Stamp.init) } }
    }

    /// What tells one state of a file from another; a renamed file in its place differs, too.
    fileprivate struct Stamp: Equatable {
        var inode: UInt = 0
        var byteCount = 0
        var seconds = 0
        var nanoseconds = 0

        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            inode = UInt(status.st_ino)
            byteCount = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    private struct Loaded {
        var context: OpaquePointer
        /// Of the files as they were before they were read.
        var stamps: [Stamp]
    }

    private let files: Files
    private let loaded: Mutex<Loaded>

    /// - Throws: `TLSError` that names the file which cannot be used, never what is in it.
    package init(_ files: Files = Files()) throws(TLSError) {
        self.files = files
        let stamps = files.stamps
        loaded = Mutex(Loaded(context: try Self.load(files), stamps: stamps))
    }

    deinit { loaded.withLock { SSL_CTX_free($0.context) } }

    /// A session by the files as they are now. What is there may be half of a change: files that cannot be used are left
    /// for the next time, and those that were read before count until then.
    func makeSession() -> OpaquePointer? {
        loaded.withLock { loaded in
            let stamps = files.stamps
            if stamps != loaded.stamps, let context = try? Self.load(files) {
                SSL_CTX_free(loaded.context)
                loaded = Loaded(context: context, stamps: stamps)
            }
            return SSL_new(loaded.context)
        }
    }

    /// `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_NO_COMPRESSION`, whose macros are no constants for Swift.
    private static let noRenegotiation: UInt64 = 1 << 30
    private static let noCompression: UInt64 = 1 << 17

    private static func load(_ files: Files) throws(TLSError) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw TLSError(.handshakeFailed, "OpenSSL gives no context: \(TLSError.takeMessage())")
        }
        // What the macros of OpenSSL's header do.
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0, nil)
        SSL_CTX_set_options(context, noRenegotiation | noCompression)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_default_passwd_cb(context, giveNoPassphrase)
        do { try read(files, into: context) } catch {
            SSL_CTX_free(context)
            throw error
        }
        return context
    }

    private static func read(_ files: Files, into pointer: OpaquePointer) throws(TLSError) {
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

    private static func unusable(_ path: String, _ what: String) -> TLSError {
        TLSError(.unusableFile, "\(path) cannot be read or does not hold \(what): \(TLSError.takeMessage())")
    }
}

/// Instead of OpenSSL's own, which asks on the terminal.
private func giveNoPassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isWriting: Int32, _ data: UnsafeMutableRawPointer?
) -> Int32 { -1 }
