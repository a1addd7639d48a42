internal import COpenSSL

/// Why a connection could not be encrypted, or its peer not be trusted.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable and low in cardinality: for metrics.
    package enum Reason: String, Sendable {
        case certificateExpired = "tls_certificate_expired"
        case certificateNotYetValid = "tls_certificate_not_yet_valid"
        case wrongHost = "tls_wrong_host"
        case unknownAuthority = "tls_unknown_authority"
        /// Anything else that is wrong with the certificate.
        case certificateRefused = "tls_certificate_refused"
        /// Version, ciphers, an alert of the peer, or no TLS at all.
        case handshakeFailed = "tls_handshake_failed"
        /// The bytes that came later make no sense, or the peer broke off with an alert.
        case protocolViolation = "tls_protocol_error"
        /// The peer went away without saying so: what came may be a part only (RFC 8446, section 6.1).
        case truncated = "tls_truncated"
        case timedOut = "timeout"
        /// A file with certificates or a key cannot be used.
        case unusableFile = "tls_unusable_file"
    }

    package let reason: Reason
    /// What was wrong and what to do.
    package let description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// What verification found wrong with the peer's certificate.
    static func verification(_ result: Int, host: String) -> TLSError {
        let text = X509_verify_cert_error_string(result).map { String(cString: $0) } ?? "error \(result)"
        switch Int32(truncatingIfNeeded: result) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return TLSError(.certificateExpired, "the certificate of \(host) or of its issuer has expired")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return TLSError(
                .certificateNotYetValid, "the certificate of \(host) is not valid yet: compare the clocks")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return TLSError(.wrongHost, "the certificate is not that of \(host)")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return TLSError(
                .unknownAuthority, "the certificate of \(host) is signed by nobody who is trusted here: \(text)")
        default: return TLSError(.certificateRefused, "the certificate of \(host) is refused: \(text)")
        }
    }

    /// The oldest error of this thread's queue, as OpenSSL says it; empties the queue.
    static func takeMessage() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "the connection broke off" }
        return String(cString: reason)
    }
}
