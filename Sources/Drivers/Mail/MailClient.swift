package import EventLoop
internal import Glibc
package import Telemetry

/// Sends e-mail: by SMTP through libcurl, or into a folder of `.eml` files for local work.
package final class MailClient: Sendable {
    package enum Transport: Sendable {
        /// `smtp://host:port` or `smtps://…`, with optional credentials.
        case smtp(url: String, username: String?, password: String?)
        /// Each message becomes one file, written to a temporary name and renamed.
        case mailbox(folder: String)
    }

    package static let sent = Counter("mail_sent_total", help: "E-mails handed on.", labels: ["outcome"])
    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [sent.declaration]

    private let transport: Transport
    private let workers: WorkerPool
    private let tracer: Tracer
    private let successes: CounterSeries
    private let failures: CounterSeries

    package init(transport: Transport, workers: WorkerPool, telemetry: Telemetry) {
        self.transport = transport
        self.workers = workers
        tracer = telemetry.tracer
        let family = telemetry.metrics.counter(Self.sent)
        successes = family.series("success")
        failures = family.series("error")
    }

    /// - Throws: `MailError`; after `.transport` the message may be tried again.
    package func send(_ message: MailMessage) async throws {
        let transport = transport
        do {
            try await tracer.withSpan("send e-mail", kind: .client) { _ in
                let bytes = try message.wireForm(date: Self.date())
                try await workers.run { try Self.deliver(bytes, message, transport) }
            }
            successes.increment()
        } catch {
            failures.increment()
            throw (error as? MailError) ?? MailError.transport("\(error)")
        }
    }

    private static func deliver(_ bytes: [UInt8], _ message: MailMessage, _ transport: Transport) throws(MailError) {
        switch transport {
        case .smtp(let url, let username, let password):
            try SMTP.send(
                bytes, from: message.from, to: message.to, url: url, username: username, password: password)
        case .mailbox(let folder):
            try Mailbox(folder: folder).store(bytes, messageID: message.messageID)
        }
    }

    /// RFC 5322, section 3.3.
    private static func date() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S +0000", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
