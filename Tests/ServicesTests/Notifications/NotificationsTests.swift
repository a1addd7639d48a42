import Glibc
import HTTP
import HTTPCodec
import OrdersContracts
import PostgreSQL
import ServiceKit
import Synchronization
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing
import UsersContracts
import Values

@testable import Notifications

@Suite struct LetterTests {
    private func event(_ status: OrderStatus, reason: String? = nil) -> OrderStatusChanged {
        OrderStatusChanged(
            orderID: "o-1", userID: "u-1", status: status, previousStatus: nil, total: Money(cents: 123_450),
            reason: reason)
    }

    @Test(arguments: OrderStatus.allCases)
    func everyLetterNamesOrderStatusAndTotal(_ status: OrderStatus) {
        let text = StatusLetter.text(event(status))
        for word in ["o-1", status.rawValue, "1234.50"] { #expect(text.contains(word)) }
        #expect(!StatusLetter.subject(event(status)).isEmpty)
        #expect(StatusLetter.greeted(text, name: "Ann").hasPrefix("Hello Ann,\n"))
        #expect(StatusLetter.greeted(text, name: "").hasPrefix("Hello,\n"))
    }

    @Test func onlyWhoWasNotChargedIsToldSo() {
        for reason in ["out_of_stock", "payment_declined", "timed_out"] {
            #expect(StatusLetter.text(event(.cancelled, reason: reason)).contains("not been charged"))
        }
        for reason in ["cancelled_by_customer", nil] {
            #expect(StatusLetter.text(event(.cancelled, reason: reason)).contains("coming back"))
        }
    }
}

@Suite struct DeliveryScheduleTests {
    private func delivery(_ attempts: Int) -> Delivery {
        Delivery(
            id: "d", kind: .order, channel: .email, messageID: "m", userID: "u", subject: "", text: "",
            attempts: attempts,
            createdAt: Timestamp(microseconds: 0), context: TelemetryContext())
    }

    @Test func pausesGrowToABound() throws {
        let schedule = DeliverySchedule()
        let now = Timestamp(microseconds: 1_000_000)
        for (attempts, range) in [(1, 1_000...2_000), (2, 2_000...4_000), (5, 16_000...32_000)] {
            #expect(range.contains(try #require(schedule.pause(after: delivery(attempts), .mailUnavailable, now: now))))
        }
        let longest = try #require(schedule.pause(after: delivery(1_000), .usersUnavailable, now: now))
        #expect((450_000...900_000).contains(longest))
    }

    @Test func aServerThatAsksToWaitIsNotAskedSooner() throws {
        let pause = DeliverySchedule().pause(
            after: delivery(1), .telegramLimited, atLeast: 37, now: Timestamp(microseconds: 1))
        #expect(try #require(pause) == 37_000)
    }

    @Test func whatCannotSucceedAndWhatIsTooOldIsGivenUp() {
        let schedule = DeliverySchedule()
        let soon = Timestamp(microseconds: 1)
        #expect(schedule.pause(after: delivery(1), .mailRefused, now: soon) == nil)
        #expect(schedule.pause(after: delivery(1), .userUnknown, now: soon) == nil)
        #expect(schedule.pause(after: delivery(1), .telegramRefused, now: soon) == nil)
        let nextDay = Timestamp(microseconds: 86_400_000_000)
        #expect(schedule.pause(after: delivery(9), .mailUnavailable, now: nextDay) == nil)
    }
}

/// Notifications with a stand-in for users and a mailbox, or a mail server.
@Suite struct NotificationsTests {
    private static let address = "ann@example.org"

    /// - Parameter isUp: whether users answers.
    private static func users(
        email: String? = address, isUp: @escaping @Sendable () -> Bool = { true }
    ) -> ServiceDefinition {
        ServiceDefinition(name: "users", summary: "a stand-in", port: 0) { app in
            app.routes("/internal/users") { routes in
                routes.get("/{id}/contact", .service) { request in
                    guard isUp() else { throw HTTPError(.serviceUnavailable, "down", "down") }
                    let id = request.parameter("id")
                    guard id != "gone" else { throw HTTPError(.notFound, "user.unknown", "no such user") }
                    return try .json(UserContact(userID: id, name: "Ann", email: email))
                }
            }
        }
    }

    private func event(_ status: OrderStatus, order: String, user: String = "u-1") -> OrderStatusChanged {
        OrderStatusChanged(
            orderID: order, userID: user, status: status, previousStatus: nil, total: Money(cents: 4_200))
    }

    private func running<T>(
        users: ServiceDefinition = Self.users(), values: [String: String] = [:],
        _ body: (Deployment, _ mailbox: String) async throws -> T
    ) async throws -> T {
        let mailbox = "/tmp/vitrine-mailbox-\(Identifier.make())"
        defer {
            for file in Self.files(mailbox) { unlink(mailbox + "/" + file) }
            rmdir(mailbox)
        }
        var settings = ["NOTIFICATIONS_MAILBOX": mailbox, "NOTIFICATIONS_RETRY_MS": "20"]
        settings.merge(values) { $1 }
        return try await Deployment.run([users, NotificationsService.definition], values: settings) { deployment in
            try await body(deployment, mailbox)
        }
    }

    private static func files(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".eml") { names.append(name) }
        }
        return names.sorted()
    }

    private static func read(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// State, attempts and error of every delivery, in order.
    private func deliveries(_ deployment: Deployment) async throws -> [String] {
        try await deployment.database("notifications").query(
            "SELECT deliveries",
            "SELECT state || ' ' || attempts || coalesce(' ' || last_error, '') AS told FROM deliveries ORDER BY lsn"
        ).rows.map { try $0.get("told") }
    }

    @Test func everyStatusGivesOneLetterHoweverOftenItIsTold() async throws {
        try await running { deployment, mailbox in
            let order = Identifier.make()
            try await deployment.publish(event(.processing, order: order), messageID: "m-1", times: 5)
            try await deployment.publish(event(.shipping, order: order), messageID: "m-2", times: 2)
            #expect(try await eventually { try await deliveries(deployment) == ["SENT 1", "SENT 1"] })
            // What came twice has been seen to come twice.
            let duplicates = #"inbox_duplicates_total{event="order.status_changed"}"#
            let capture = try deployment.capture("notifications")
            #expect(await eventually { capture.value(duplicates) == 5 })
            let files = Self.files(mailbox)
            #expect(files.count == 2)
            let letters = files.map { Self.read(mailbox + "/" + $0) }
            for letter in letters {
                for part in ["To: ", Self.address, order, "Hello Ann,", "42.00"] { #expect(letter.contains(part)) }
            }
            for id in ["m-1", "m-2"] {
                #expect(letters.filter { $0.contains("Message-ID: <\(id)@vitrine.local>") }.count == 1)
            }
            #expect(capture.value(#"notifications_deliveries_total{channel="email",outcome="sent"}"#) == 2)
            #expect(await eventually { capture.value("notifications_pending") == 0 })
        }
    }

    @Test func sendingBelongsToTheTraceOfTheEventAndTellsNoAddress() async throws {
        try await running { deployment, _ in
            try await deployment.publish(event(.delivered, order: "o-1"))
            #expect(try await eventually { try await deliveries(deployment) == ["SENT 1"] })
            let capture = try deployment.capture("notifications")
            // The row is written within the span, so the span may end after it is seen.
            #expect(await eventually { !capture.spans(named: "send notification").isEmpty })
            let sending = try #require(capture.spans(named: "send notification").first)
            let handled = capture.spans.filter { $0.context.traceID == sending.context.traceID && $0.kind == .consumer }
            #expect(!handled.isEmpty)
            let names = capture.spans(in: sending.context.traceID).map(\.name)
            #expect(names.contains("send mail") && names.contains("GET /internal/users/{id}/contact"))
            let told = capture.logLines.joined() + capture.spans.map { "\($0.attributes)" }.joined() + capture.text
            #expect(!told.contains(Self.address))
        }
    }

    @Test func whoHasNoAddressIsSkipped() async throws {
        try await running(users: Self.users(email: nil)) { deployment, mailbox in
            try await deployment.publish(event(.created, order: "o-1"))
            #expect(try await eventually { try await deliveries(deployment) == ["SKIPPED 1"] })
            #expect(Self.files(mailbox).isEmpty)
            try await deployment.publish(event(.created, order: "o-2", user: "gone"))
            #expect(try await eventually { try await deliveries(deployment).last == "FAILED 1 user_unknown" })
        }
    }

    @Test func aLetterWaitsForUsersToComeBack() async throws {
        let asked = Mutex(0)
        // Each delivery asks three times before it waits.
        let users = Self.users(isUp: {
            asked.withLock {
                $0 += 1
                return $0 > 7
            }
        })
        try await running(users: users) { deployment, mailbox in
            try await deployment.publish(event(.created, order: "o-1"))
            #expect(try await eventually { try await deliveries(deployment).first?.hasPrefix("SENT") == true })
            #expect(Self.files(mailbox).count == 1)
            let retried = #"notifications_deliveries_total{channel="email",outcome="retried"}"#
            #expect((try deployment.capture("notifications").value(retried) ?? 0) >= 1)
        }
    }

    // MARK: SMTP

    @Test func aMailServerThatIsBusyIsAskedAgain() async throws {
        let server = MailServer(replies: ["451 later", "421 not now"])
        try await running(values: ["SMTP_URL": "smtp://127.0.0.1:\(server.port)"]) { deployment, _ in
            try await deployment.publish(event(.shipping, order: "o-1"), messageID: "m-1")
            #expect(try await eventually { try await deliveries(deployment) == ["SENT 3"] })
            #expect(server.attempts == 3)
            #expect(server.messages.count == 1)
            #expect(server.messages[0].contains("Message-ID: <m-1@vitrine.local>"))
        }
        server.stop()
    }

    @Test func whatAMailServerRefusesForGoodIsGivenUp() async throws {
        let server = MailServer(replies: ["554 never"])
        try await running(values: ["SMTP_URL": "smtp://127.0.0.1:\(server.port)"]) { deployment, _ in
            try await deployment.publish(event(.shipping, order: "o-1"))
            #expect(try await eventually { try await deliveries(deployment) == ["FAILED 1 mail_refused"] })
            #expect(server.messages.isEmpty)
        }
        server.stop()
    }

    // MARK: Administrators

    @Test func theAuditTrailHasEveryEventOnceAndForGood() async throws {
        try await running { deployment, _ in
            let order = Identifier.make()
            try await deployment.publish(event(.created, order: order), messageID: "m-1", times: 3)
            try await deployment.publish(UserRegistered(userID: order), messageID: "m-2")
            try await deployment.publish(event(.created, order: "another"), messageID: "m-3")

            func list(_ query: String, _ roles: [String] = ["admin"]) async throws -> Reply {
                try await deployment.send(
                    "notifications", .get, "/api/v1/audit" + query, headers: [Deployment.bearer(roles)])
            }
            struct Page: Decodable {
                struct Item: Decodable {
                    struct Body: Decodable {
                        let order_id: String?
                        let user_id: String
                    }
                    let lsn: Int
                    let type: String
                    let message_id: String
                    let body: Body
                }
                let items: [Item]
                let next_cursor: Int?
                let limit: Int
                let count: Int
            }
            #expect(try await eventually { try await list("?subject=\(order)").decode(Page.self).count == 2 })
            let page: Page = try await list("?subject=\(order)&limit=1").decode()
            #expect(page.items.count == 1 && page.limit == 1)
            let rest: Page = try await list("?subject=\(order)&cursor=\(page.next_cursor ?? -1)").decode()
            #expect(Set((page.items + rest.items).map(\.type)) == ["order.status_changed", "user.registered"])
            #expect(Set((page.items + rest.items).map(\.message_id)) == ["m-1", "m-2"])
            #expect((page.items + rest.items).first { $0.message_id == "m-1" }?.body.order_id == order)
            #expect(rest.next_cursor == nil)

            #expect(try await list("?subject=\(order)", ["manager"]).status == 403)
            // What is kept is every company's: no company's own administrator reads it.
            for path in ["audit?subject=\(order)", "deliveries", "alerts"] {
                let foreign = try await deployment.send(
                    "notifications", .get, "/api/v1/" + path, headers: [("authorization", Person.rival.bearer)])
                #expect(foreign.status == 403)
                #expect(!foreign.text.contains(order))
            }
            #expect(try await list("").status == 422)
            #expect(try await list("?subject=x&limit=0").status == 422)
            for change in ["UPDATE audit_log SET type = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"] {
                await #expect(throws: PostgreSQLError.self) {
                    try await deployment.database("notifications").script("change", change)
                }
            }
        }
    }

    @Test func administratorsSeeWhatBecameOfLetters() async throws {
        try await running { deployment, _ in
            try await deployment.publish(event(.created, order: "o-1"))
            try await deployment.publish(event(.created, order: "o-2", user: "gone"))
            func list(_ query: String, _ roles: [String] = ["admin"]) async throws -> Reply {
                try await deployment.send(
                    "notifications", .get, "/api/v1/deliveries" + query, headers: [Deployment.bearer(roles)])
            }
            struct Page: Decodable {
                struct Item: Decodable {
                    let order_id: String
                    let state: String
                    let sent_at: Timestamp?
                    let last_error: String?
                }
                let items: [Item]
            }
            #expect(
                try await eventually {
                    try await Set(list("").decode(Page.self).items.map(\.state)) == ["SENT", "FAILED"]
                })
            let failed: Page = try await list("?state=FAILED").decode()
            #expect(failed.items.map(\.order_id) == ["o-2"])
            #expect(failed.items[0].last_error == "user_unknown" && failed.items[0].sent_at == nil)
            let sent: Page = try await list("?order_id=o-1").decode()
            #expect(sent.items.map(\.state) == ["SENT"])
            #expect(sent.items[0].sent_at != nil)
            #expect(try await list("?state=LOST").status == 422)
            #expect(try await list("", ["user"]).status == 403)
        }
    }
}
