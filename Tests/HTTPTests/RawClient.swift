import EventLoop
import Glibc
import Synchronization

/// A blocking socket on threads of its own: it does what a client or server of ours never would.
final class RawClient: Sendable {
    static let threads = WorkerPool(threads: 32, name: "raw")
    private let descriptor: Int32
    private let leftover = Mutex<[UInt8]>([])

    struct Failure: Error { let what: String }

    /// - Parameter receiveBuffer: a small one makes a slow reader.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        setOptions()
        var address = RawListener.address(port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    init(descriptor: Int32) {
        self.descriptor = descriptor
        setOptions()
    }

    deinit { close(descriptor) }

    private func setOptions() {
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private func blocking<T: Sendable>(_ body: @escaping @Sendable (Int32) throws -> T) async throws -> T {
        try await Self.threads.run { [self] in try body(descriptor) }
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

    /// Sends until the peer has taken nothing for a while: how much fits when nobody reads.
    func sendUntilStuck(atMost limit: Int) async throws -> Int {
        let piece = [UInt8](repeating: 0x61, count: 64 * 1024)
        var sent = 0
        var idleRounds = 0
        while sent < limit, idleRounds < 20 {
            let wanted = min(piece.count, limit - sent)
            let count = try await blocking { descriptor in
                piece.withUnsafeBytes { bytes in
                    Glibc.send(
                        descriptor, bytes.baseAddress, wanted,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
            }
            if count > 0 {
                sent += count
                idleRounds = 0
            } else {
                idleRounds += 1
                try await Task.sleep(nanoseconds: 10_000_000)
            }
        }
        return sent
    }

    /// The next bytes; nil at the end of the connection (or its reset).
    func receive(atMost count: Int = 65_536) async throws -> [UInt8]? {
        let waiting = leftover.withLock { leftover in
            defer { leftover = [] }
            return leftover
        }
        if !waiting.isEmpty { return waiting }
        return try await blocking { descriptor in
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

    /// Text up to and with `mark`; what follows is kept for the next call.
    func receive(through mark: String) async throws -> String {
        var all: [UInt8] = []
        let wanted = Array(mark.utf8)
        while true {
            if let end = all.firstEnd(of: wanted) {
                leftover.withLock { $0 = Array(all[end...]) }
                return String(decoding: all[..<end], as: UTF8.self)
            }
            guard let bytes = try await receive() else { return String(decoding: all, as: UTF8.self) }
            all += bytes
        }
    }

    /// One message whose length is told by `Content-Length`, or that has no body.
    func receiveMessage() async throws -> RawMessage {
        let head = try await receive(through: "\r\n\r\n")
        guard head.hasSuffix("\r\n\r\n") else { throw Failure(what: "closed within the head: \(head)") }
        let lines = head.split(separator: "\r\n").map { $0.lowercased() }
        let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        var body: [UInt8] = []
        while body.count < length, let bytes = try await receive() { body += bytes }
        leftover.withLock { $0 = Array(body.dropFirst(length)) }
        return RawMessage(lines: lines, body: String(decoding: body.prefix(length), as: UTF8.self))
    }

    func shutdownWriting() { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the kernel reset the connection when it is closed.
    func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
}

/// A request or response, taken apart without any of our code. Lower case throughout the head.
struct RawMessage: Sendable {
    let lines: [String]
    let body: String

    var status: Int { Int(lines[0].dropFirst(9).prefix(3)) ?? 0 }
    func value(_ name: String) -> String? {
        lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
    }
}

/// A blocking listener: a peer that answers whatever the test wants.
final class RawListener: Sendable {
    private let descriptor: Int32
    let port: Int

    init(backlog: Int32 = 64) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size)
                listen(descriptor, backlog)
                getsockname(descriptor, address, &size)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
    }

    deinit { close(descriptor) }

    static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    var url: String { "http://127.0.0.1:\(port)" }

    func accept() async throws -> RawClient {
        try await RawClient.threads.run { [self] in
            let accepted = Glibc.accept(descriptor, nil, nil)
            guard accepted >= 0 else { throw RawClient.Failure(what: "accept: \(errno)") }
            return RawClient(descriptor: accepted)
        }
    }
}

extension [UInt8] {
    /// The index after the first occurrence.
    fileprivate func firstEnd(of wanted: [UInt8]) -> Int? {
        guard count >= wanted.count else { return nil }
        for start in 0...(count - wanted.count) where self[start] == wanted[0] {
            if self[start..<start + wanted.count].elementsEqual(wanted) { return start + wanted.count }
        }
        return nil
    }
}
