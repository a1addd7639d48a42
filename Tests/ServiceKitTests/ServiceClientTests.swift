import HTTP
import HTTPCodec
import Security
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct ServiceClientTests {
    private struct Seen: Codable, Sendable, Equatable {
        var user: String
        var roles: [String]
        var key: String?
        var request: String
    }

    private final class Calls: Sendable {
        let count = Atomic<Int>(0)
        /// What the caller tells.
        let capture = Mutex<TelemetryCapture?>(nil)
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    }

    /// A service to be called, and one that calls it.
    private func pair<T>(
        _ body: (ServiceClient, TestService, Calls) async throws -> T
    ) async throws -> T {
        let calls = Calls()
        return try await TestService.run(
            name: "ledger",
            build: { app in
                app.routes("/ledger", errors: .detail) { group in
                    let echo: RouteGroup.Handler = { request in
                        let caller = try request.caller()
                        return try .json(
                            Seen(
                                user: caller.userID, roles: caller.roles, key: request.header("idempotency-key"),
                                request: request.requestID))
                    }
                    group.get("/who", .user, echo)
                    group.post("/who", .user, echo)
                    group.put("/who", .user, echo)
                    group.get("/own", .service, echo)
                    group.delete("/thing/{id}", .user) { _ in .empty() }
                    group.get("/refused", .open) { _ in throw HTTPError(.conflict, "x", "not enough stock") }
                    group.get("/invalid", .open) { _ in
                        throw HTTPError.invalid(["body", "a"], "Field required", type: "missing")
                    }
                    group.get("/flaky", .open) { _ in
                        if calls.next() < 3 { throw HTTPError(.serviceUnavailable, "x", "later") }
                        return try .json("ok")
                    }
                    group.post("/flaky", .open) { _ in
                        _ = calls.next()
                        throw HTTPError(.serviceUnavailable, "x", "later")
                    }
                    group.post("/echo", .open, maxBodyBytes: 8_000_000) { request in
                        var response = HTTPResponse(body: .bytes(try await request.http.body.collect(upTo: 8_000_000)))
                        response.headers.add("x-kept", request.header("x-hop") ?? "stripped")
                        response.headers.add("x-forwarded", request.header("x-forwarded-for") ?? "")
                        return response
                    }
                }
            }
        ) { (ledger: TestService) async throws in
            try await TestService.run(
                name: "caller", values: ["LEDGER_URL": ledger.url, "NOBODY_URL": "http://127.0.0.1:1"],
                build: { _ in }
            ) { (caller: TestService) async throws in
                calls.capture.withLock { $0 = caller.capture }
                let application = try #require(caller.host.application("caller"))
                return try await body(application.services, ledger, calls)
            }
        }
    }

    private let mira = Identity(userID: "u-7", username: "mira", roles: ["user"])

    @Test func identityContextAndKeysGoAlong() async throws {
        try await pair { (client, ledger, _) async throws in
            let context = TelemetryContext(requestID: "req-42")
            try await TelemetryContext.$current.withValue(context) {
                let seen: Seen = try await client.get("ledger", "/ledger/who", template: "/ledger/who", as: .user(mira))
                #expect(seen == Seen(user: "u-7", roles: ["user"], key: nil, request: "req-42"))
                let own: Seen = try await client.get("ledger", "/ledger/own", template: "/ledger/own", as: .service)
                #expect(own.roles == ["service"])
                let posted: Seen = try await client.post(
                    "ledger", "/ledger/who", template: "/ledger/who", as: .user(mira), body: ["a": 1],
                    idempotencyKey: "k-1")
                #expect(posted.key == "k-1")
                let put: Seen = try await client.put(
                    "ledger", "/ledger/who", template: "/ledger/who", as: .user(mira), body: ["a": 1])
                #expect(put.user == "u-7")
                try await client.delete("ledger", "/ledger/thing/1", template: "/ledger/thing/{id}", as: .user(mira))
            }
            let span = try #require(ledger.capture.spans(named: "GET /ledger/who").first)
            #expect(span.parent != nil)
        }
    }

    @Test func refusalsCarryTheOtherSidesWords() async throws {
        try await pair { (client, _, _) async throws in
            for (path, status, message) in [
                ("/ledger/refused", 409, "not enough stock"), ("/ledger/invalid", 422, "Field required"),
                ("/nothing", 404, "there is nothing under this path"),
            ] {
                await #expect {
                    _ = try await client.get("ledger", path, template: path, as: .service, String.self)
                } throws: { error in
                    let error = error as? ServiceCallError
                    return error?.status?.code == status && error?.message == message && error?.service == "ledger"
                }
            }
            await #expect {
                _ = try await client.get("nobody", "/", template: "/", as: .service, String.self)
            } throws: { ($0 as? ServiceCallError)?.status == nil && $0 is ServiceCallError }
            await #expect(throws: ServiceCallError.self) {
                _ = try await client.get("unheard-of", "/", template: "/", as: .service, String.self)
            }
        }
    }

    @Test func whatMayBeRepeatedIsRepeated() async throws {
        try await pair { (client, _, calls) async throws in
            let text: String = try await client.get("ledger", "/ledger/flaky", template: "/ledger/flaky", as: .service)
            #expect(text == "ok")
            #expect(calls.count.load(ordering: .relaxed) == 3)
            let capture = try #require(calls.capture.withLock { $0 })
            let attempts = capture.spans.filter { $0.kind == .client && $0.name == "GET /ledger/flaky" }
            #expect(attempts.map { $0.attributes["http.request.resend_count"] } == [nil, 1, 2])
            await #expect(throws: ServiceCallError.self) {
                _ = try await client.post(
                    "ledger", "/ledger/flaky", template: "/ledger/flaky", as: .service, body: ["a": 1], String.self)
            }
            #expect(calls.count.load(ordering: .relaxed) == 4)
            await #expect(throws: ServiceCallError.self) {
                _ = try await client.post(
                    "ledger", "/ledger/flaky", template: "/ledger/flaky", as: .service, body: ["a": 1],
                    idempotencyKey: "k", String.self)
            }
            #expect(calls.count.load(ordering: .relaxed) == 7)
        }
    }

    @Test func retriesAreASmallShareOfTheCalls() async throws {
        try await pair { (client, _, calls) async throws in
            for _ in 0..<10 {
                _ = try? await client.post(
                    "ledger", "/ledger/flaky", template: "/ledger/flaky", as: .service, body: ["a": 1],
                    idempotencyKey: "k", String.self)
            }
            // Ten saved up, and one for every ten calls: far from the thirty that three attempts each would make.
            #expect(calls.count.load(ordering: .relaxed) <= 21)
        }
    }

    @Test func forwardingStreamsAndStripsWhatIsOfOneConnection() async throws {
        try await pair { (client, _, _) async throws in
            var request = HTTPRequest(method: .post, target: "/ledger/echo")
            request.headers.add("host", "shop.example")
            request.headers.add("connection", "keep-alive, X-Hop")
            request.headers.add("x-hop", "secret")
            request.headers.add("te", "trailers")
            request.headers.add("x-forwarded-for", "192.0.2.7")
            let piece = [UInt8](repeating: 65, count: 100_000)
            request.body = .stream(length: nil, Pieces(pieces: Array(repeating: piece, count: 30)))
            let response = try await client.forward(request, to: "ledger", template: "/ledger/{path}")
            #expect(response.status == .ok)
            #expect(response.headers["x-kept"] == "stripped")
            #expect(response.headers["connection"] == nil)
            #expect(response.headers["content-length"] == nil)
            #expect(response.headers["x-forwarded"] == "192.0.2.7")
            #expect(try await response.body.collect(upTo: 8_000_000).count == 3_000_000)
            let refused = try await client.forward(
                HTTPRequest(method: .get, target: "/ledger/refused"), to: "ledger", template: "/ledger/{path}")
            #expect(refused.status == .conflict)
        }
    }
}
