import EventLoop
import FoundationEssentials
import Glibc
import Mail
import Telemetry
import TelemetryTesting
import Testing

private func message(
    id: String = "m1@shop.example", from: String = "shop@shop.example", to: String = "ann@home.example",
    subject: String = "Your order", text: String = "Hello\n"
) -> MailMessage {
    MailMessage(messageID: id, from: from, to: to, subject: subject, text: text)
}

/// A message as Python's own mail library reads it: subject, from, to, id and body, a JSON array.
private func read(_ bytes: [UInt8]) throws -> [String] {
    let program = """
        import sys, json, email, email.policy
        m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
        assert not m.defects, m.defects
        for part in ('Subject', 'From', 'To', 'Date', 'Message-ID'):
            assert not m[part].defects, (part, m[part].defects)
        assert m['Date'].datetime.tzinfo is not None
        print(json.dumps([m['Subject'], m['From'], m['To'], m['Message-ID'], m.get_content().replace('\\r\\n', '\\n')]))
        """
    let result = try ChildProcess.run("python3", ["-c", program], input: bytes)
    try #require(result.status == 0, "\(result.errors)")
    return try JSONDecoder().decode([String].self, from: Data(result.output.utf8))
}

@Suite struct SMTPTests {
    @Test func theServerGetsTheMessageAsWritten() async throws {
        let server = SMTPTestServer()
        let workers = WorkerPool(threads: 1)
        let capture = TelemetryCapture()
        defer {
            server.stop()
            workers.shutdown()
        }
        let client = MailClient(
            transport: .smtp(url: "smtp://127.0.0.1:\(server.port)", username: nil, password: nil), workers: workers,
            telemetry: capture.telemetry)
        try await client.send(message(text: "Hello\n.a dot\n.\nend"))
        let session = try #require(server.sessions.first)
        #expect(session.commands.contains("MAIL FROM:<shop@shop.example>"))
        #expect(session.commands.contains("RCPT TO:<ann@home.example>"))
        let wire = String(decoding: session.data, as: UTF8.self)
        // The dots are doubled on the wire (RFC 5321, section 4.5.2).
        #expect(wire.hasSuffix("\r\n\r\nHello\r\n..a dot\r\n..\r\nend\r\n"))
        #expect(wire.contains("\r\nMessage-ID: <m1@shop.example>\r\n"))
        #expect(capture.value(#"mail_sent_total{outcome="success"}"#) == 1)
        let span = try #require(capture.spans(named: "send mail").first)
        #expect(span.kind == .client)
        #expect(span.attributes["server.port"] == .int(server.port))
        #expect(!"\(span.attributes)".contains("home.example"))
    }

    @Test(arguments: [
        ("550 no such user ann@home.example", true), ("451 try later", false), ("554 no", true),
    ])
    func aRefusalSaysWhetherTryingAgainHelps(_ reply: String, _ isFinal: Bool) async throws {
        let server = SMTPTestServer(replies: .init(recipient: reply))
        let workers = WorkerPool(threads: 1)
        let capture = TelemetryCapture()
        defer {
            server.stop()
            workers.shutdown()
        }
        let client = MailClient(
            transport: .smtp(url: "smtp://127.0.0.1:\(server.port)", username: nil, password: nil), workers: workers,
            telemetry: capture.telemetry)
        do {
            try await client.send(message())
            Issue.record("it was sent")
        } catch let error as MailError {
            if case .invalidMessage = error { #expect(isFinal) } else { #expect(!isFinal) }
            #expect(error.description.contains(String(reply.prefix(3))))
            #expect(!error.description.contains("home.example"))
        }
        #expect(capture.value(#"mail_sent_total{outcome="success"}"#) == 0)
    }

    @Test func aMessageThatIsRefusedAtTheEndIsNotSent() async throws {
        let server = SMTPTestServer(replies: .init(data: "452 disk full"))
        let workers = WorkerPool(threads: 1)
        defer {
            server.stop()
            workers.shutdown()
        }
        let client = MailClient(
            transport: .smtp(url: "smtp://127.0.0.1:\(server.port)", username: nil, password: nil), workers: workers,
            telemetry: .disabled())
        await #expect(throws: MailError.self) { try await client.send(message()) }
    }

    @Test func noServerIsATransportError() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let client = MailClient(
            transport: .smtp(url: "smtp://127.0.0.1:1", username: "me", password: "hunter2"), workers: workers,
            telemetry: .disabled())
        do {
            try await client.send(message())
            Issue.record("it was sent")
        } catch let error as MailError {
            guard case .transport(let what) = error else { throw error }
            #expect(what.contains("127.0.0.1"))
            #expect(!what.contains("hunter2"))
        }
    }

    @Test func credentialsAreUsedAndNeverPrinted() async throws {
        let server = SMTPTestServer(replies: .init(extensions: ["AUTH PLAIN"]))
        let workers = WorkerPool(threads: 1)
        defer {
            server.stop()
            workers.shutdown()
        }
        let transport = MailClient.Transport.smtp(
            url: "smtp://127.0.0.1:\(server.port)", username: "me", password: "hunter2")
        try await MailClient(transport: transport, workers: workers, telemetry: .disabled()).send(message())
        // base64 of NUL me NUL hunter2
        #expect(server.sessions.first?.commands.contains { $0.hasSuffix("AG1lAGh1bnRlcjI=") } == true)
        var dumped = ""
        dump(transport, to: &dumped)
        #expect(!"\(transport) \(String(reflecting: transport)) \(dumped)".contains("hunter2"))
    }
}

@Suite struct MailboxTests {
    private let folder = "\(TemporaryFolder.path)/vitrine-mail-\(getpid())-\(Int.random(in: 0 ... .max))/box"

    private func send(_ messages: MailMessage...) async throws -> [String] {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let client = MailClient(transport: .mailbox(folder: folder), workers: workers, telemetry: .disabled())
        for message in messages { try await client.send(message) }
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private func content(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
    }

    private func removeFolder() {
        try? FileManager.default.removeItem(atPath: String(folder.dropLast(4)))
    }

    @Test func eachMessageIsOneFileThatOthersCanRead() async throws {
        defer { removeFolder() }
        let names = try await send(message(id: "a@x"), message(id: "b/../c@x"))
        #expect(names.count == 2)
        #expect(names.first?.hasSuffix("-a@x.eml") == true)
        #expect(names.last?.hasSuffix("-b_.._c@x.eml") == true)
        let fields = try read(content(names[0]))
        #expect(fields == ["Your order", "shop@shop.example", "ann@home.example", "<a@x>", "Hello\n"])
    }

    @Test(arguments: [
        ("Ваш заказ № 12 принят и скоро будет отправлен, спасибо за покупку в нашем магазине", "Здравствуйте, Анна!\n"),
        ("日本語の件名", "本文\n.\n= line with an equals sign, and a trailing blank \n"),
        ("=?utf-8?B?aGFjaw==?=", String(repeating: "long ", count: 250) + "\n"),
        ("👩‍👩‍👧‍👧 family", "tab\there\r\nCRLF\r\nbare CR\rend\n"), ("", ""),
        (String(repeating: "x", count: 300), String(repeating: "é", count: 150) + "\n"),
    ])
    func everyScriptSurvives(_ subject: String, _ text: String) async throws {
        defer { removeFolder() }
        let name = try #require(
            try await send(message(from: "Магазин «Витрина» <shop@shop.example>", subject: subject, text: text)).first)
        let bytes = try content(name)
        #expect(bytes.allSatisfy { $0 < 0x80 })
        #expect(bytes.split(separator: 0x0A).allSatisfy { $0.count <= 999 })
        let fields = try read(bytes)
        #expect(fields[0] == subject)
        #expect(fields[1] == "Магазин «Витрина» <shop@shop.example>")
        let lines = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        #expect(fields[4] == lines)
    }

    @Test(arguments: [
        message(subject: "a\r\nBcc: all@example.org"), message(subject: "a\nb"), message(subject: "a\u{0}"),
        message(to: "ann"), message(to: "ann@home.example\r\nBcc: x@y"), message(to: "a@b@c"), message(to: "@home"),
        message(to: "ann@"), message(to: "ann smith@home.example"), message(to: "ann@home.example>, <eve@x.example"),
        message(to: "анна@home.example"), message(to: ""), message(from: "A\nB <a@b.example>"),
        message(from: "shop@-x.example"), message(id: ""), message(id: "a b"), message(id: "a>\r\nX: y"),
        message(text: "NUL \u{0}"), message(to: String(repeating: "a", count: 65) + "@home.example"),
    ])
    func injectionIsRefused(_ message: MailMessage) async throws {
        defer { removeFolder() }
        await #expect {
            _ = try await send(message)
        } throws: { error in
            if case MailError.invalidMessage(let what) = error { !what.contains("example") } else { false }
        }
    }

    @Test func aFolderThatCannotBeMadeIsATransportError() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let client = MailClient(
            transport: .mailbox(folder: "/dev/null/box"), workers: workers, telemetry: .disabled())
        await #expect {
            try await client.send(message())
        } throws: { error in
            if case MailError.transport = error { true } else { false }
        }
    }
}

/// Where temporary files go.
private enum TemporaryFolder {
    static let path = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
}
