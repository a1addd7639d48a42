internal import CLibCurl
internal import Glibc

/// One message over SMTP through libcurl. Blocks: for worker threads only.
enum SMTP {
    private static let connectTimeoutSeconds = 5
    private static let timeoutSeconds = 20

    static func send(
        _ bytes: [UInt8], from: String, to: String, url: String, username: String?, password: String?
    ) throws(MailError) {
        _ = initialized
        guard let curl = curl_easy_init() else { throw .transport("out of memory") }
        defer { curl_easy_cleanup(curl) }
        let recipients = curl_slist_append(nil, "<\(to)>")
        defer { curl_slist_free_all(recipients) }
        let source = Source(bytes)
        vitrine_curl_text(curl, CURLOPT_URL, url)
        vitrine_curl_text(curl, CURLOPT_MAIL_FROM, "<\(from)>")
        vitrine_curl_list(curl, CURLOPT_MAIL_RCPT, recipients)
        vitrine_curl_long(curl, CURLOPT_UPLOAD, 1)
        vitrine_curl_long(curl, CURLOPT_NOSIGNAL, 1)
        vitrine_curl_long(curl, CURLOPT_CONNECTTIMEOUT, connectTimeoutSeconds)
        vitrine_curl_long(curl, CURLOPT_TIMEOUT, timeoutSeconds)
        if let username { vitrine_curl_text(curl, CURLOPT_USERNAME, username) }
        if let password { vitrine_curl_text(curl, CURLOPT_PASSWORD, password) }
        // Encrypted whenever the server offers it; a password never goes in the clear.
        vitrine_curl_long(curl, CURLOPT_USE_SSL, password == nil ? 1 : 3)
        let result = withExtendedLifetime(source) {
            vitrine_curl_read(curl, readSource, Unmanaged.passUnretained(source).toOpaque())
            return curl_easy_perform(curl)
        }
        guard result == CURLE_OK else { throw .transport(String(cString: curl_easy_strerror(result))) }
    }

    private static let initialized: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// What libcurl reads the message from.
    fileprivate final class Source {
        private let bytes: [UInt8]
        private var position = 0
        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func read(into buffer: UnsafeMutableRawPointer, capacity: Int) -> Int {
            let count = min(capacity, bytes.count - position)
            bytes.withUnsafeBytes { source in
                if let base = source.baseAddress { buffer.copyMemory(from: base + position, byteCount: count) }
            }
            position += count
            return count
        }
    }
}

private func readSource(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ source: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let source else { return 0 }
    return Unmanaged<SMTP.Source>.fromOpaque(source).takeUnretainedValue().read(into: buffer, capacity: size * count)
}
