package import EventLoop
internal import Glibc
package import Telemetry

/// Sends e-mail: by SMTP through libcurl, or into a folder of `.eml` files for local work.
package final class MailClient: Sendable {
    package enum Transport: Sendable {
        /// `smtp://host:port` or `smtps://…`, with optional credentials. With credentials the connection must be
        /// encrypted, except to this machine; without, it is when the server offers it.
        case smtp(url: String, username: String?, password: String?)
        /// Each message becomes one file, named by time and message id, written to a temporary name and renamed.
        case mailbox(folder: String)
    }

    private let transport: Transport
    private let destination: MailDestination
    private let workers: WorkerPool
    private let telemetry: MailTelemetry

    package init(transport: Transport, workers: WorkerPool, telemetry: Telemetry) {
        self.transport = transport
        destination = MailDestination(transport)
        self.workers = workers
        self.telemetry = MailTelemetry(telemetry)
    }

    /// Hands the message over; blocking work happens on the worker pool.
    /// - Throws: `MailError`.
    package func send(_ message: MailMessage) async throws {
        try await telemetry.observe(destination) {
            let from = try MailAddress(message.from, field: "from")
            let to = try MailAddress(message.to, field: "to")
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            let bytes = try MailFormat.write(message, from: from, to: to, seconds: now.tv_sec)
            let transport = transport
            let instant = now
            do {
                try await workers.run {
                    switch transport {
                    case .smtp(let url, let username, let password):
                        try SMTPTransfer(url: url, username: username, password: password)
                            .send(bytes, from: from.address, to: to.address)
                    case .mailbox(let folder):
                        try MailboxFolder(path: folder).write(bytes, messageID: message.messageID, at: instant)
                    }
                }
            } catch is WorkerPool.Saturated {
                throw MailError.transport("too much work waits already")
            }
        }
    }
}

extension MailClient.Transport: CustomStringConvertible, CustomReflectable {
    /// Without credentials.
    package var description: String {
        switch self {
        case .smtp: "smtp \(MailDestination(self).host)"
        case .mailbox(let folder): "mailbox \(folder)"
        }
    }

    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where messages go, for spans: never with credentials.
struct MailDestination: Sendable {
    let host: String
    let port: Int?

    init(_ transport: MailClient.Transport) {
        guard case .smtp(let url, _, _) = transport else {
            host = "mailbox"
            port = nil
            return
        }
        var rest = url[...]
        if let scheme = url.firstIndex(of: ":"), url[scheme...].hasPrefix("://") {
            rest = url[url.index(scheme, offsetBy: 3)...]
        }
        if let slash = rest.firstIndex(of: "/") { rest = rest[..<slash] }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        if let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") {
            port = Int(rest[rest.index(after: colon)...])
            host = String(rest[..<colon])
        } else {
            port = nil
            host = String(rest)
        }
    }

    /// This machine: what is said to it is heard by nobody on the way.
    var isLoopback: Bool { host == "localhost" || host == "[::1]" || host.hasPrefix("127.") }
}
