internal import CLibCurl
internal import Glibc

/// One message over SMTP (RFC 5321) through libcurl, on the calling thread: blocking, with time-outs. libcurl doubles
/// the dots at line starts, talks STARTTLS and checks the certificate.
struct SMTPTransfer {
    let url: String
    let username: String?
    let password: String?

    private static let connectTimeoutMilliseconds = 5_000
    private static let timeoutMilliseconds = 30_000

    /// - Throws: `MailError`.
    func send(_ bytes: [UInt8], from: String, to: String) throws(MailError) {
        guard Curl.isReady, let handle = curl_easy_init() else { throw .transport("libcurl cannot be used") }
        defer { curl_easy_cleanup(handle) }
        var receivers = curl_slist_append(nil, "<\(to)>")
        defer {
            curl_slist_free_all(receivers)
            receivers = nil
        }
        let source = UploadSource(bytes)
        try configure(handle)
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_MAIL_FROM, "<\(from)>"))
        try Self.check(vitrine_curl_set_list(handle, CURLOPT_MAIL_RCPT, receivers))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_UPLOAD, 1))
        try Self.check(vitrine_curl_set_read(handle, readUpload))
        try Self.check(
            vitrine_curl_set_pointer(handle, CURLOPT_READDATA, Unmanaged.passUnretained(source).toOpaque()))
        let result = withExtendedLifetime(source) { curl_easy_perform(handle) }
        if result != CURLE_OK { throw error(result, handle) }
    }

    private func configure(_ handle: UnsafeMutableRawPointer) throws(MailError) {
        let destination = MailDestination(.smtp(url: url, username: nil, password: nil))
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_URL, url))
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps"))
        // Settings come from the configuration, never from the environment.
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_PROXY, ""))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_NOSIGNAL, 1))
        try Self.check(
            vitrine_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.connectTimeoutMilliseconds))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.timeoutMilliseconds))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2))
        try Self.check(vitrine_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)))
        try Self.check(vitrine_curl_set_write(handle, discardDownload))
        let needsTLS = username != nil && !destination.isLoopback
        try Self.check(
            vitrine_curl_set_long(
                handle, CURLOPT_USE_SSL, Int((needsTLS ? CURLUSESSL_ALL : CURLUSESSL_TRY).rawValue)))
        if let username {
            try Self.check(vitrine_curl_set_string(handle, CURLOPT_USERNAME, username))
            try Self.check(vitrine_curl_set_string(handle, CURLOPT_PASSWORD, password ?? ""))
        }
    }

    private static func check(_ code: CURLcode) throws(MailError) {
        if code != CURLE_OK {
            throw .transport("libcurl refused a setting: \(String(cString: curl_easy_strerror(code)))")
        }
    }

    /// What went wrong, in fixed words and the server's code: its text may repeat the address.
    private func error(_ code: CURLcode, _ handle: UnsafeMutableRawPointer) -> MailError {
        let host = MailDestination(.smtp(url: url, username: nil, password: nil)).host
        var reply = 0
        vitrine_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &reply)
        let what = String(cString: curl_easy_strerror(code))
        let isRefusal = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_RECV_ERROR
        // 550 to 554: this message or this address, for good (RFC 5321, section 4.2.3).
        if isRefusal, (550...554).contains(reply) {
            return .invalidMessage("the mail server \(host) refused it for good with \(reply)")
        }
        return .transport("mail server \(host): \(what)" + (reply >= 400 ? " (it answered \(reply))" : ""))
    }
}

/// The bytes of a message and how many of them libcurl has taken.
///
/// Used by the one thread that performs the transfer.
private final class UploadSource {
    let bytes: [UInt8]
    var position = 0
    init(_ bytes: [UInt8]) { self.bytes = bytes }
}

private func readUpload(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ data: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let data else { return 0 }
    let source = Unmanaged<UploadSource>.fromOpaque(data).takeUnretainedValue()
    let length = min(size * count, source.bytes.count - source.position)
    source.bytes.withUnsafeBytes { all in
        UnsafeMutableRawBufferPointer(start: buffer, count: length)
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: all[source.position..<(source.position + length)]))
    }
    source.position += length
    return length
}

/// What servers say goes nowhere: libcurl would print it.
private func discardDownload(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ data: UnsafeMutableRawPointer?
) -> Int { size * count }
