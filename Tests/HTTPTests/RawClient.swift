import EventLoop
import Glibc

/// A blocking socket on threads of its own: what a client may do that ours never does.
final class RawClient: Sendable {
    private static let threads = WorkerPool(threads: 24, name: "raw")
    private let descriptor: Int32

    struct Failure: Error { let what: String }

    /// - Parameter receiveBuffer: a small one makes a slow reader.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    deinit { close(descriptor) }

    private func blocking<T: Sendable>(_ body: @escaping @Sendable (Int32) throws -> T) async throws -> T {
        try await Self.threads.run { [descriptor] in try body(descriptor) }
    }

    /// Sends everything, or as much as the peer takes before it closes or the time-out.
    @discardableResult
    func send(_ bytes: [UInt8]) async throws -> Int {
        try await blocking { descriptor in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { break }
                sent += count
            }
            return sent
        }
    }

    @discardableResult
    func send(_ text: String) async throws -> Int { try await send(Array(text.utf8)) }

    /// Bytes that the kernel takes without waiting, then stops.
    func sendWithoutWaiting(_ bytes: [UInt8]) async throws -> Int {
        try await blocking { descriptor in
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            return max(0, count)
        }
    }

    /// The next bytes; nil at the end of the connection (or its reset).
    func receive(atMost count: Int = 65_536) async throws -> [UInt8]? {
        try await blocking { descriptor in
            var buffer = [UInt8](repeating: 0, count: count)
            let received = recv(descriptor, &buffer, count, 0)
            if received < 0, errno == EAGAIN { throw Failure(what: "nothing came") }
            return received <= 0 ? nil : Array(buffer[..<received])
        }
    }

    /// Everything until the peer closes.
    func receiveToEnd() async throws -> String {
        var all: [UInt8] = []
        while let bytes = try await receive() { all += bytes }
        return String(decoding: all, as: UTF8.self)
    }

    /// Text up to and with `mark`, or what came before the end.
    func receive(through mark: String) async throws -> String {
        var all = ""
        while !all.contains(mark), let bytes = try await receive() { all += String(decoding: bytes, as: UTF8.self) }
        return all
    }

    /// One response with `Content-Length`.
    func receiveResponse() async throws -> RawResponse {
        var all: [UInt8] = []
        while true {
            if let response = RawResponse(all) { return response }
            guard let bytes = try await receive(atMost: 1) else {
                throw Failure(what: "closed after \(all.count) bytes")
            }
            all += bytes
        }
    }

    func shutdownWriting() { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
    }
}

struct RawResponse {
    let status: Int
    let head: String
    let body: String

    /// Nil when the bytes are not one complete response yet.
    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        head = String(text[..<end.lowerBound]).lowercased()
        status = Int(head.dropFirst(9).prefix(3)) ?? 0
        var length = 0
        for line in head.split(separator: "\r\n") where line.hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).filter { $0 != " " }) ?? 0
        }
        let rest = text[end.upperBound...].utf8
        guard rest.count >= length else { return nil }
        body = String(decoding: rest.prefix(length), as: UTF8.self)
    }
}

extension String {
    /// The first occurrence of a text; Foundation is not linked here.
    func range(of other: String) -> Range<String.Index>? {
        let bytes = Array(utf8)
        let wanted = Array(other.utf8)
        guard bytes.count >= wanted.count else { return nil }
        for start in 0...(bytes.count - wanted.count) where bytes[start] == wanted[0] {
            if bytes[start..<start + wanted.count].elementsEqual(wanted) {
                let lower = utf8.index(utf8.startIndex, offsetBy: start)
                return lower..<utf8.index(lower, offsetBy: wanted.count)
            }
        }
        return nil
    }
}
