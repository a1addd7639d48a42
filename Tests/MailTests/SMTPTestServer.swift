import Glibc
import Synchronization

/// A mail server that takes one connection after another and remembers what it was told.
final class SMTPTestServer: Sendable {
    struct Session: Sendable {
        var commands: [String] = []
        /// What came between DATA and the lone dot, as it was on the wire.
        var data: [UInt8] = []
    }

    struct Replies: Sendable {
        var recipient = "250 ok"
        var data = "250 queued"
        var extensions: [String] = []
        /// Says nothing at all after the greeting.
        var isMute = false
    }

    let port: Int
    private let listener: Int32
    private let replies: Replies
    private let finished = Mutex<[Session]>([])

    init(replies: Replies = Replies()) {
        self.replies = replies
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = getsockname(listener, $0, &length)
            }
        }
        listen(listener, 8)
        port = Int(address.sin_port.bigEndian)
        var thread: pthread_t = 0
        pthread_create(&thread, nil, runSMTPTestServer, Unmanaged.passRetained(self).toOpaque())
        pthread_detach(thread)
    }

    /// Sessions that ended with QUIT or a lost connection.
    ///
    /// The client is done a moment before the server notes the session: this waits for it, within bounds.
    var sessions: [Session] {
        for _ in 0..<500 {
            let noted = finished.withLock { $0 }
            if !noted.isEmpty { return noted }
            usleep(10_000)
        }
        return []
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    fileprivate func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { break }
            let session = converse(connection)
            close(connection)
            finished.withLock { $0.append(session) }
        }
        close(listener)
    }

    private func converse(_ connection: Int32) -> Session {
        var session = Session()
        var lines = LineReader(descriptor: connection)
        func say(_ text: String) {
            text.withCString { _ = send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        }
        say("220 test ESMTP\r\n")
        while let line = lines.next() {
            if replies.isMute { continue }
            let text = String(decoding: line, as: UTF8.self)
            session.commands.append(text)
            switch text.split(separator: " ").first?.uppercased() {
            case "EHLO":
                let all = ["test"] + replies.extensions
                for (index, item) in all.enumerated() { say("250\(index + 1 == all.count ? " " : "-")\(item)\r\n") }
            case "RCPT": say(replies.recipient + "\r\n")
            case "DATA":
                say("354 go on\r\n")
                while let line = lines.next(), line != [0x2E] { session.data += line + [0x0D, 0x0A] }
                say(replies.data + "\r\n")
            case "AUTH":
                // The client sends its credentials when it is asked to (RFC 4954, section 4).
                say("334 \r\n")
                if let line = lines.next() { session.commands.append(String(decoding: line, as: UTF8.self)) }
                say("235 welcome\r\n")
            case "QUIT":
                say("221 bye\r\n")
                return session
            default: say("250 ok\r\n")
            }
        }
        return session
    }

    /// Lines without their CRLF; a bare LF stays inside.
    private struct LineReader {
        let descriptor: Int32
        var buffer: [UInt8] = []

        init(descriptor: Int32) { self.descriptor = descriptor }

        mutating func next() -> [UInt8]? {
            var searched = 0
            while true {
                var index = searched
                while index + 1 < buffer.count {
                    if buffer[index] == 0x0D, buffer[index + 1] == 0x0A {
                        let line = Array(buffer[..<index])
                        buffer.removeFirst(index + 2)
                        return line
                    }
                    index += 1
                }
                searched = max(0, buffer.count - 1)
                var chunk = [UInt8](repeating: 0, count: 16 * 1024)
                let count = recv(descriptor, &chunk, chunk.count, 0)
                if count <= 0 { return nil }
                buffer += chunk[..<count]
            }
        }
    }
}

private func runSMTPTestServer(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<SMTPTestServer>.fromOpaque(argument).takeRetainedValue().serve()
    return nil
}
