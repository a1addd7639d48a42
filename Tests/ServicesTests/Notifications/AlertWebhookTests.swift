import FoundationEssentials
import Glibc
import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL
import ServiceKit
import ServiceTesting
import Synchronization
import Telemetry
import TelemetryTesting
import Testing
import Values

@testable import Mail
@testable import Notifications

@Suite struct AlertLetterTests {
    private func alert(_ status: AlertMessage.Alert.Status, _ name: String, summary: String) -> AlertMessage.Alert {
        AlertMessage.Alert(
            status: status, labels: ["alertname": name, "severity": "page", "job": "orders"],
            annotations: ["summary": summary, "value": "12.5%", "runbook_url": "http://localhost:8010/x.md"],
            startsAt: Timestamp(microseconds: 1_700_000_000_000_000),
            endsAt: Timestamp(microseconds: 1_700_000_060_000_000), fingerprint: "f")
    }

    @Test func aLetterSaysWhatFiresSinceWhenAndWhatToRead() {
        let letter = AlertLetter(
            alerts: [
                alert(.firing, "HighErrorRate", summary: "orders fails"), alert(.resolved, "Other", summary: "x"),
            ],
            truncated: 3)
        #expect(letter.subject == "[FIRING 1, RESOLVED 1] HighErrorRate: orders fails (+1 more)")
        for part in ["12.5%", "job=orders", "http://localhost:8010/x.md", "Since:     2023-11-14T22:13:20", "3 more"] {
            #expect(letter.text.contains(part), "\(part)")
        }
        // What is over has no value any more.
        #expect(letter.text.components("12.5%") == 1)
    }

    @Test func nothingInASubjectEndsTheHeader() {
        let letter = AlertLetter(
            alerts: [alert(.firing, "A", summary: "x\r\nBcc: all@example.org\u{2028}y")], truncated: 0)
        let isClean = letter.subject.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{2028}" }
        #expect(isClean)
    }

    @Test func aTextIsCutToTelegramsLimitAtALine() {
        let lines = (0..<600).map { "line \($0) 🛒" }.joined(separator: "\n")
        let cut = TelegramClient.fitting(lines)
        #expect(cut.utf16.count <= TelegramClient.maxTextLength)
        #expect(cut.hasSuffix("(cut: the rest is in the e-mail)"))
        let kept = cut.split(separator: "\n").dropLast()
        #expect(kept.count > 200 && kept.allSatisfy { $0.hasSuffix("🛒") })
        #expect(TelegramClient.fitting("short") == "short")
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}

/// A stand-in for Telegram's Bot API that answers as it is told.
private final class BotAPI: Sendable {
    struct Sent: Decodable, Sendable {
        let chat_id: String
        let text: String
    }
    let sent = Mutex<[Sent]>([])
    private let replies: Mutex<[(HTTPStatus, String)]>

    init(replies: [(HTTPStatus, String)] = []) { self.replies = Mutex(replies) }

    var definition: ServiceDefinition {
        ServiceDefinition(name: "botapi", summary: "a stand-in", port: 0) { [self] app in
            app.routes("/bot123:abc") { routes in
                routes.post("/sendMessage", .open) { request in
                    if let (status, body) = self.replies.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
                        return HTTPResponse(status: status, body: .bytes(Array(body.utf8)))
                    }
                    let message = try JSONDecoder().decode(Sent.self, from: Data(try await request.jsonText()))
                    self.sent.withLock { $0.append(message) }
                    return .json(bytes: Array(#"{"ok":true,"result":{}}"#.utf8))
                }
            }
        }
    }
}

/// Alertmanager's posts to notifications, on the real database.
@Suite struct AlertWebhookTests {
    private static let token = "a token of at least thirty-two bytes"
    private static let botToken = "123:abc"

    private func alert(
        _ status: String, _ name: String, severity: String = "page", fingerprint: String = "f1", extra: String = ""
    ) -> String {
        let end = status == "firing" ? "0001-01-01T00:00:00Z" : "2026-01-01T10:05:00.5+01:00"
        return """
            {"status":"\(status)","labels":{"alertname":"\(name)","severity":"\(severity)","job":"orders"},
             "annotations":{"summary":"\(name) it is"},"startsAt":"2026-01-01T08:00:00.123456789Z","endsAt":"\(end)",
             "generatorURL":"http://x","fingerprint":"\(fingerprint)"\(extra)}
            """
    }

    private func message(_ alerts: [String], version: String = "4", group: String = "{}:{alertname=\\\"A\\\"}")
        -> String
    {
        """
        {"version":"\(version)","groupKey":"\(group)","truncatedAlerts":0,"status":"firing","receiver":"pages",
         "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://x","somethingNew":[1],
         "alerts":[\(alerts.joined(separator: ","))]}
        """
    }

    private func running(
        bot: BotAPI? = nil, _ body: (Deployment, _ mailbox: String) async throws -> Void
    ) async throws {
        let mailbox = "/tmp/vitrine-alerts-\(Identifier.make())"
        defer { _ = try? Command.run(["rm", "-rf", mailbox]) }
        var settings = [
            "NOTIFICATIONS_MAILBOX": mailbox, "NOTIFICATIONS_RETRY_MS": "20", "NOTIFICATIONS_ALERTS_TOKEN": Self.token,
        ]
        var services = [NotificationsService.definition]
        if let bot {
            let port = try Ports.free()
            settings["BOTAPI_PORT"] = "\(port)"
            settings["TELEGRAM_API_URL"] = "http://127.0.0.1:\(port)"
            settings["TELEGRAM_BOT_TOKEN"] = Self.botToken
            settings["TELEGRAM_CHAT_ID"] = "-100"
            services.insert(bot.definition, at: 0)
        }
        try await Deployment.run(services, values: settings) { try await body($0, mailbox) }
    }

    private func post(_ deployment: Deployment, _ json: String, token: String = token) async throws -> Reply {
        try await deployment.send(
            "notifications", .post, AlertRoutes.path, headers: [("authorization", "Bearer \(token)")], json: json)
    }

    private func deliveries(_ deployment: Deployment) async throws -> [String] {
        try await deployment.database("notifications").query(
            "SELECT deliveries",
            "SELECT kind || ' ' || channel || ' ' || state AS told FROM deliveries ORDER BY channel, lsn"
        ).rows.map { try $0.get("told") }
    }

    @Test func anAlertIsToldOnceHoweverOftenItIsPosted() async throws {
        try await running { deployment, mailbox in
            let firing = message([alert("firing", "HighErrorRate"), alert("firing", "Other", fingerprint: "f2")])
            #expect(try await post(deployment, firing).text == #"{"new":2,"received":2}"#)
            for _ in 0..<3 { #expect(try await post(deployment, firing).text == #"{"new":0,"received":2}"#) }
            // One more of the group: only that is told.
            let more = message([alert("firing", "HighErrorRate"), alert("firing", "Third", fingerprint: "f3")])
            #expect(try await post(deployment, more).text == #"{"new":1,"received":2}"#)
            let over = message([alert("resolved", "HighErrorRate")])
            #expect(try await post(deployment, over).text == #"{"new":1,"received":1}"#)
            #expect(try await post(deployment, over).text == #"{"new":0,"received":1}"#)
            #expect(
                try await eventually {
                    try await deliveries(deployment) == Array(repeating: "alert email SENT", count: 3)
                })
            let letters = try Command.run(["sh", "-c", "cat \(mailbox)/*.eml"]).output
            for part in [
                "To: On call <oncall@vitrine.local>", "FIRING 2", "RESOLVED 1", "HighErrorRate it is", "Third",
            ] {
                #expect(letters.contains(part), "\(part)")
            }
            let capture = try deployment.capture("notifications")
            #expect(capture.value(#"notifications_alerts_total{status="firing",outcome="new"}"#) == 3)
            #expect(capture.value(#"notifications_alerts_total{status="resolved",outcome="new"}"#) == 1)
            #expect(capture.value(#"notifications_alerts_total{status="any",outcome="duplicate"}"#) == 8)
            #expect(capture.logLines.contains { $0.contains("HighErrorRate fires") })
        }
    }

    @Test func theSameAtOnceIsTakenOnce() async throws {
        try await running { deployment, _ in
            let json = message((0..<20).map { alert("firing", "A", fingerprint: "f\($0)") })
            let new = try await withThrowingTaskGroup(of: Int.self) { group in
                struct Receipt: Decodable { let new: Int }
                for _ in 0..<6 {
                    group.addTask {
                        let reply = try await self.post(deployment, json)
                        #expect(reply.status == 200, "\(reply.text)")
                        return try reply.decode(Receipt.self).new
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(new == 20)
        }
    }

    @Test func whoDoesNotKnowTheTokenIsRefused() async throws {
        try await running { deployment, _ in
            let json = message([alert("firing", "A")])
            #expect(try await post(deployment, json, token: "another token of thirty-two bytes!").status == 401)
            #expect(try await deployment.send("notifications", .post, AlertRoutes.path, json: json).status == 401)
            let admin = try await deployment.send(
                "notifications", .post, AlertRoutes.path, headers: [Deployment.bearer(["admin"])], json: json)
            #expect(admin.status == 401)
            #expect(try await deliveries(deployment).isEmpty)
            let told = try deployment.capture("notifications").logLines.joined()
            #expect(!told.contains(Self.token))
        }
    }

    @Test func whatCannotBeTakenIsRefusedWithItsPlace() async throws {
        try await running { deployment, _ in
            let long = String(repeating: "x", count: 5_000)
            for (json, place) in [
                (message([alert("firing", "A")], version: "3"), "version"), (message([alert("firing", "")]), "alerts"),
                (message([alert("odd", "A")]), "status"), (message([alert("firing", long)]), "alerts"),
                (message([alert("firing", "A")], group: ""), "groupKey"),
                (message(Array(repeating: alert("firing", "A"), count: 201)), "alerts"),
                (#"{"version":"4"}"#, "groupKey"),
            ] {
                let reply = try await post(deployment, json)
                #expect(reply.status == 422 && reply.text.contains(place), "\(reply.text.prefix(300))")
            }
            #expect(try await post(deployment, "{").status == 400)
            #expect(try await post(deployment, message([alert("firing", #"a\u0000"#)])).status == 400)
            let huge = message([alert("firing", "A", extra: #","x":"\#(String(repeating: "y", count: 1 << 20))""#)])
            #expect(try await post(deployment, huge).status == 413)
            // Fields that we do not know are no reason.
            #expect(
                try await post(deployment, message([alert("firing", "A", extra: #","later":{"a":[]}"#)])).status == 200)
        }
    }

    @Test func informationIsKeptAndNobodyIsTold() async throws {
        try await running { deployment, _ in
            #expect(try await post(deployment, message([alert("firing", "Watchdog", severity: "info")])).status == 200)
            struct Page: Decodable {
                struct Item: Decodable {
                    let name: String
                    let status: String
                    let deliveries: String
                    let ends_at: Timestamp?
                }
                let items: [Item]
            }
            let page: Page = try await deployment.send(
                "notifications", .get, "/api/v1/alerts?name=Watchdog", headers: [Deployment.bearer(["admin"])]
            ).decode()
            #expect(page.items.map(\.status) == ["firing"])
            #expect(page.items[0].deliveries.isEmpty && page.items[0].ends_at == nil)
            let denied = try await deployment.send(
                "notifications", .get, "/api/v1/alerts", headers: [Deployment.bearer(["user"])])
            #expect(denied.status == 403)
            #expect(try await deliveries(deployment).isEmpty)
        }
    }

    // MARK: Telegram

    @Test func telegramHearsAfterItAskedToWaitAndNobodySeesTheToken() async throws {
        let bot = BotAPI(replies: [
            (.tooManyRequests, #"{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":1}}"#),
            (.badGateway, "not JSON"),
        ])
        try await running(bot: bot) { deployment, _ in
            #expect(try await post(deployment, message([alert("firing", "HighErrorRate")])).status == 200)
            #expect(
                try await eventually {
                    try await deliveries(deployment) == ["alert email SENT", "alert telegram SENT"]
                })
            let sent = bot.sent.withLock { $0 }
            #expect(sent.map(\.chat_id) == ["-100"])
            #expect(sent.first?.text.hasPrefix("[FIRING 1] HighErrorRate") == true)
            let capture = try deployment.capture("notifications")
            for outcome in ["limited", "unavailable", "success"] {
                #expect(capture.value("telegram_messages_total{outcome=\"\(outcome)\"}") == 1, "\(outcome)")
            }
            let told = capture.logLines.joined() + capture.spans.map { "\($0)" }.joined() + capture.text
            #expect(!told.contains(Self.botToken))
        }
    }

    @Test func aChatThatRefusesIsGivenUp() async throws {
        let bot = BotAPI(replies: [(.badRequest, #"{"ok":false,"error_code":400,"description":"chat not found"}"#)])
        try await running(bot: bot) { deployment, _ in
            let reply = try await post(deployment, message([alert("firing", "A")]))
            #expect(reply.status == 200)
            #expect(
                try await eventually {
                    try await deliveries(deployment) == ["alert email SENT", "alert telegram FAILED"]
                })
        }
    }
}
