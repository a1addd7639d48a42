internal import CLibCurl

/// libcurl, made ready once a process, before any handle.
enum Curl {
    static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}
