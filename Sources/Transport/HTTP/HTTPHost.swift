internal import Glibc

/// Where a peer is: the host and port of an `http://` URL without a path.
struct HTTPHost: Hashable, Sendable {
    let name: String
    let port: Int
    /// As the Host field has it.
    let authority: String

    /// - Throws: `HTTPClientError.invalidURL`.
    init(url: String) throws {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { throw HTTPClientError.invalidURL("only http:// URLs are served here") }
        var rest = url.dropFirst(scheme.count)
        if rest.last == "/" { rest.removeLast() }
        guard !rest.isEmpty, !rest.utf8.contains(where: { $0 <= 0x20 || $0 == 0x2F || $0 == 0x40 || $0 >= 0x7F }) else {
            throw HTTPClientError.invalidURL("the URL must be http://host:port")
        }
        authority = String(rest)
        let end = rest.lastIndex(of: "]").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[end...].lastIndex(of: ":") {
            guard let port = Int(rest[rest.index(after: colon)...]), (1...65535).contains(port) else {
                throw HTTPClientError.invalidURL("the port is not a number from 1 to 65535")
            }
            self.port = port
            rest = rest[..<colon]
        } else {
            port = 80
        }
        if rest.first == "[", rest.last == "]" { rest = rest.dropFirst().dropLast() }
        name = String(rest)
    }
}

/// The process's monotonic clock.
enum MonotonicClock {
    static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
