internal import CLibCurl
internal import Glibc

/// One JSON document sent by POST through libcurl, on the calling thread: blocking, with time-outs, certificates
/// checked, no redirects, and an answer of bounded size.
struct HTTPPost: Sendable {
    let url: String
    let body: [UInt8]

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// What went wrong on the way, in libcurl's fixed words: its other texts may repeat the address.
    struct Failure: Error, CustomStringConvertible { let description: String }

    private static let connectTimeoutMilliseconds = 5_000
    private static let timeoutMilliseconds = 15_000
    fileprivate static let maxAnswerBytes = 64 * 1024

    /// - Throws: `Failure`.
    func perform() throws -> Answer {
        guard Curl.isReady, let handle = curl_easy_init() else {
            throw Failure(description: "libcurl cannot be used")
        }
        defer { curl_easy_cleanup(handle) }
        var headers = curl_slist_append(nil, "Content-Type: application/json")
        // No pause for a 100 that nobody sends.
        headers = curl_slist_append(headers, "Expect:")
        defer { curl_slist_free_all(headers) }
        let download = Download()
        try configure(handle)
        try Self.check(vitrine_curl_set_list(handle, CURLOPT_HTTPHEADER, headers))
        try Self.check(
            vitrine_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(download).toOpaque()))
        var text = body + [0]
        let count = body.count
        let result = try text.withUnsafeMutableBytes { bytes in
            try Self.check(vitrine_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, count))
            try Self.check(vitrine_curl_set_pointer(handle, CURLOPT_POSTFIELDS, bytes.baseAddress))
            return withExtendedLifetime(download) { curl_easy_perform(handle) }
        }
        guard result == CURLE_OK else { throw Failure(description: String(cString: curl_easy_strerror(result))) }
        var status = 0
        vitrine_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return Answer(status: status, body: download.bytes)
    }

    private func configure(_ handle: UnsafeMutableRawPointer) throws {
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_URL, url))
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"))
        // Settings come from the configuration, never from the environment.
        try Self.check(vitrine_curl_set_string(handle, CURLOPT_PROXY, ""))
        for (option, value) in [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_CONNECTTIMEOUT_MS, Self.connectTimeoutMilliseconds),
            (CURLOPT_TIMEOUT_MS, Self.timeoutMilliseconds), (CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_POST, 1),
        ] { try Self.check(vitrine_curl_set_long(handle, option, value)) }
        try Self.check(vitrine_curl_set_write(handle, keepDownload))
    }

    private static func check(_ code: CURLcode) throws {
        if code != CURLE_OK { throw Failure(description: "libcurl refused a setting") }
    }

    /// The host of a URL, for spans.
    static func host(of url: String) -> String {
        var rest = url[...]
        if let scheme = url.firstRange(of: "://") { rest = url[scheme.upperBound...] }
        rest = rest.prefix { $0 != "/" }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        return String(rest.prefix { $0 != ":" })
    }
}

/// The bytes of an answer.
///
/// Used by the one thread that performs the transfer.
private final class Download {
    var bytes: [UInt8] = []
}

/// Taking less than was offered ends the transfer: nobody may fill our memory.
private func keepDownload(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ data: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let data else { return 0 }
    let download = Unmanaged<Download>.fromOpaque(data).takeUnretainedValue()
    let length = size * count
    guard download.bytes.count + length <= HTTPPost.maxAnswerBytes else { return 0 }
    download.bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: length))
    return length
}
