import Glibc
import Synchronization

/// A mail server (RFC 5321) that takes one connection after another, answers messages as it is told, and keeps those that
/// it took.
final class MailServer: Sendable {
    let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        /// Answers to the next messages; 250 when there are none.
        var replies: [String]
        var messages: [String] = []
        var attempts = 0
    }

    /// - Parameter replies: to the end of the first, second… message.
    init(replies: [String] = []) {
        state = Mutex(State(replies: replies))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = getsockname(listener, $0, &length)
            }
        }
        listen(listener, 8)
        port = Int(address.sin_port.bigEndian)
        var thread: pthread_t = 0
        pthread_create(&thread, nil, runMailServer, Unmanaged.passRetained(self).toOpaque())
        pthread_detach(thread)
    }

    /// Messages that were taken, as they came.
    var messages: [String] { state.withLock { $0.messages } }
    var attempts: Int { state.withLock { $0.attempts } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    fileprivate func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { break }
            converse(connection)
            close(connection)
        }
        close(listener)
    }

    private func converse(_ connection: Int32) {
        func say(_ text: String) { text.withCString { _ = send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) } }
        var buffer: [UInt8] = []
        func line() -> String? {
            while true {
                if let end = buffer.firstIndex(of: 0x0A) {
                    let text = String(decoding: buffer[..<end].filter { $0 != 0x0D }, as: UTF8.self)
                    buffer.removeSubrange(...end)
                    return text
                }
                var chunk = [UInt8](repeating: 0, count: 4096)
                let count = recv(connection, &chunk, chunk.count, 0)
                guard count > 0 else { return nil }
                buffer += chunk[..<count]
            }
        }
        say("220 test ESMTP\r\n")
        while let command = line() {
            switch command.split(separator: " ").first?.uppercased() {
            case "DATA":
                say("354 go on\r\n")
                var message = ""
                while let text = line(), text != "." { message += text + "\n" }
                say(answer(message) + "\r\n")
            case "QUIT":
                say("221 bye\r\n")
                return
            default: say("250 ok\r\n")
            }
        }
    }

    private func answer(_ message: String) -> String {
        state.withLock { state in
            state.attempts += 1
            let reply = state.replies.isEmpty ? "250 queued" : state.replies.removeFirst()
            if reply.hasPrefix("2") { state.messages.append(message) }
            return reply
        }
    }
}

private func runMailServer(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<MailServer>.fromOpaque(argument).takeRetainedValue().serve()
    return nil
}
