import HTTP
import HTTPCodec
import Security
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct PipelineTests {
    private struct Greeting: Codable, Sendable, ClosedCodable {
        var name: String
        enum CodingKeys: String, CodingKey, CaseIterable { case name }
    }

    private struct Broken: Error {}

    private static func declare(_ app: Application) {
        app.routes("/shop", errors: .detail) { group in
            group.get("/items/{id}", .open) { request in
                try .json(["id": request.parameter("id"), "who": request.identity?.userID ?? "nobody"])
            }
            group.get("/numbers/", .open) { request in
                try .json(["limit": try request.query("limit", default: 50, in: 1...100)])
            }
            group.get("/things/{id}", .open) { request in try .json(["id": try request.uuid("id")]) }
            group.get("/me", .user) { request in try .json(["id": try request.caller().userID]) }
            group.get("/admin", .admin) { _ in .empty() }
            group.get("/internal", .service) { _ in .empty() }
            group.post("/greet", .open, maxBodyBytes: 2_000_000) { request in
                try .json(try await request.json(Greeting.self), status: .created)
            }
            group.post("/small", .open, maxBodyBytes: 10) { request in
                try .json(try await request.json(Greeting.self))
            }
            group.post("/form", .open) { request in try .json(try await request.form()) }
            group.get("/broken", .open) { _ in throw Broken() }
            group.get("/taken", .open) { _ in throw HTTPError(.conflict, "taken", "taken already") }
            group.get("/context", .open) { _ in
                let context = TelemetryContext.current
                let left = context.deadline.map { Int($0) - Int(TelemetryClock.system.monotonicNanoseconds()) } ?? 0
                return try .json([
                    "request": context.requestID ?? "", "trace": context.span?.traceID.description ?? "",
                    "deadline": "\(left / 1_000_000)", "baggage": context.baggage["tier"] ?? "",
                ])
            }
            group.get("/stream", .open) { _ in
                HTTPResponse(body: .stream(length: nil, Pieces(pieces: [Array("one".utf8), Array("three".utf8)])))
            }
            group.get("/stream/broken", .open) { _ in
                HTTPResponse(body: .stream(length: nil, Pieces(pieces: [Array("one".utf8)], error: Broken())))
            }
        }
        app.routes("/api") { _ in }
        app.routes("/marimo", errors: .marimo) { $0.get("/open", .user) { _ in .empty() } }
    }

    private func run<T>(
        values: [String: String] = [:], trusts: Bool = true, _ body: (TestService) async throws -> T
    ) async throws -> T {
        try await TestService.run(
            values: values,
            build: { app in
                app.trustsIncomingContext = trusts
                Self.declare(app)
            }, body)
    }

    // MARK: Routing

    @Test func pathParametersAreDecodedAndSlashesIgnored() async throws {
        try await run { (service: TestService) async throws in
            #expect(try await service.get("/shop/items/a%20%C3%A9").text.contains(#""id":"a é""#))
            #expect(try await service.get("/shop/items/x/?a=1").status == 200)
            #expect(try await service.get("/shop/numbers?limit=7").text == #"{"limit":7}"#)
            let id = "0B1F9F7C-9A5E-4C57-8C7D-1F2E3D4C5B6A"
            #expect(try await service.get("/shop/things/\(id)").text == #"{"id":"\#(id.lowercased())"}"#)
            #expect(try await service.get("/shop/things/17").status == 404)
        }
    }

    @Test func wrongMethodsAndPathsAreToldApart() async throws {
        try await run { (service: TestService) async throws in
            let wrong = try await service.send(.delete, "/shop/me")
            #expect(wrong.status == 405)
            #expect(wrong.headers["allow"] == "GET, HEAD, OPTIONS")
            let options = try await service.send(.options, "/shop/me")
            #expect(options.status == 204)
            #expect(options.headers["allow"] == "GET, HEAD, OPTIONS")
            let missing = try await service.get("/shop/nothing")
            #expect(missing.status == 404)
            #expect(missing.text == #"{"detail":"there is nothing under this path"}"#)
            #expect(try await service.get("/api/nothing").headers["content-type"] == "application/problem+json")
            let head = try await service.send(.head, "/shop/items/1")
            #expect(head.status == 200)
            #expect(head.text.isEmpty)
            #expect(
                service.capture.value(
                    #"http_requests_total{service="shopfront",method="GET",route="unmatched",status="404"}"#) == 2)
            #expect(
                service.capture.value(
                    #"http_requests_total{service="shopfront",method="DELETE",route="/shop/me",status="405"}"#) == 1)
        }
    }

    @Test func inventedMethodsAndPathsMakeNoSeries() async throws {
        try await run { (service: TestService) async throws in
            for index in 0..<20 {
                _ = try await service.send(HTTPMethod("BREW\(index)"), "/shop/nothing/\(index)")
                _ = try await service.get("/x\(index)")
            }
            #expect(
                service.capture.value(
                    #"http_requests_total{service="shopfront",method="_OTHER",route="unmatched",status="404"}"#) == 20)
            #expect(!service.capture.text.contains("BREW"))
            #expect(!service.capture.text.contains("/x1"))
            #expect(service.capture.spans(named: "HTTP").count == 20)
        }
    }

    // MARK: Bodies

    @Test func bodiesAreCheckedBeforeTheyAreDecoded() async throws {
        try await run { (service: TestService) async throws in
            let good = try await service.send(.post, "/shop/greet", body: #"{"name":"Mira/2"}"#)
            #expect(good.status == 201)
            #expect(good.text == #"{"name":"Mira/2"}"#)
            #expect(try await service.send(.post, "/shop/greet", body: #"{"name":"a","name":"b"}"#).status == 400)
            #expect(try await service.send(.post, "/shop/greet", body: "").status == 400)
            let extra = try await service.send(.post, "/shop/greet", body: #"{"name":"a","is_admin":true}"#)
            #expect(extra.status == 422)
            #expect(
                extra.text
                    == #"{"detail":[{"loc":["body","is_admin"],"msg":"Extra inputs are not permitted","type":"extra_forbidden"}]}"#
            )
            for type in ["text/plain", "application/jsonx", "application/json; charset=latin1"] {
                let answer = try await service.send(
                    .post, "/shop/greet", headers: ["content-type": type], body: #"{"name":"a"}"#)
                #expect(answer.status == 415, "\(type)")
            }
            let parameters = ["content-type": "Application/JSON ; charset=UTF-8"]
            #expect(
                try await service.send(.post, "/shop/greet", headers: parameters, body: #"{"name":"a"}"#).status == 201)
        }
    }

    @Test func bodiesAreLimitedByRoute() async throws {
        try await run { (service: TestService) async throws in
            let name = String(repeating: "x", count: 1_500_000)
            #expect(try await service.send(.post, "/shop/greet", body: #"{"name":"\#(name)"}"#).status == 201)
            #expect(try await service.send(.post, "/shop/small", body: #"{"name":"aaaa"}"#).status == 413)
            let form = ["content-type": "application/x-www-form-urlencoded"]
            #expect(try await service.send(.post, "/shop/form", headers: form, body: "a=1%2B").text == #"{"a":"1+"}"#)
            #expect(try await service.send(.post, "/shop/form", headers: form, body: "a=\(name)").status == 413)
        }
    }

    @Test func queriesAreCheckedByRange() async throws {
        try await run { (service: TestService) async throws in
            for (limit, type) in [("0", "greater_than_equal"), ("101", "less_than_equal"), ("ten", "int_parsing")] {
                let answer = try await service.get("/shop/numbers?limit=\(limit)")
                #expect(answer.status == 422)
                #expect(answer.text.contains(#""loc":["query","limit"]"#))
                #expect(answer.text.contains(type))
            }
        }
    }

    // MARK: Access

    @Test func accessRulesAreKept() async throws {
        try await run { (service: TestService) async throws in
            let user = TestService.bearer()
            let admin = TestService.bearer(["user", "admin"])
            let anonymous = try await service.get("/shop/me")
            #expect(anonymous.status == 401)
            #expect(anonymous.headers["www-authenticate"] == "Bearer")
            #expect(anonymous.text == #"{"detail":"Not authenticated"}"#)
            #expect(try await service.get("/shop/me", headers: user).text == #"{"id":"u-1"}"#)
            #expect(try await service.get("/shop/admin").status == 401)
            #expect(try await service.get("/shop/admin", headers: user).status == 403)
            #expect(try await service.get("/shop/admin", headers: admin).status == 204)
            #expect(try await service.get("/shop/internal", headers: admin).status == 403)
            #expect(try await service.get("/marimo/open").text == #"{"success":false,"message":"Not authenticated"}"#)
        }
    }

    @Test func badTokensAreRefusedWhereATokenCounts() async throws {
        try await run { (service: TestService) async throws in
            let expired = TestService.bearer(expiresIn: -100)
            let answer = try await service.get("/shop/me", headers: expired)
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
            #expect(try await service.get("/shop/items/1", headers: expired).text.contains("nobody"))
            for header in [
                "Basic abc", "Bearer", "Bearer ", "Bearer a.b.c", "bearer \(String(repeating: "a", count: 5000))",
            ] {
                #expect(try await service.get("/shop/me", headers: ["authorization": header]).status == 401)
            }
            let forged = TokenSigner(secret: "quite another secret of thirty-two bytes")
            let claims = AccessTokenClaims(
                subject: "u-1", username: "x", roles: ["admin"], companyID: nil, issuedAt: TestService.now,
                expiresAt: TestService.now + 900, tokenID: "t")
            #expect(
                try await service.get("/shop/admin", headers: ["authorization": "Bearer \(forged.sign(claims))"]).status
                    == 401)
        }
    }

    @Test func onlySignedIdentitiesCount() async throws {
        try await run { (service: TestService) async throws in
            let signer = TestService.identities
            let identity = Identity(userID: "u-9", username: "n", roles: ["user"])
            let signed = ["x-vitrine-identity": signer.sign(identity, now: TestService.now)]
            #expect(try await service.get("/shop/me", headers: signed).text == #"{"id":"u-9"}"#)
            let peer = ["x-vitrine-identity": signer.sign(.service("orders"), now: TestService.now)]
            #expect(try await service.get("/shop/internal", headers: peer).status == 204)
            #expect(try await service.get("/shop/internal", headers: signed).status == 403)
            let stale = ["x-vitrine-identity": signer.sign(identity, now: TestService.now - 1000)]
            #expect(try await service.get("/shop/me", headers: stale).status == 401)
            for header in ["x-user-id", "x-admin", "admin", "x-vitrine-identity"] {
                #expect(try await service.get("/shop/me", headers: [header: "u-9"]).status == 401)
            }
        }
        try await run(trusts: false) { (service: TestService) async throws in
            let signed = TestService.identities.sign(.service("orders"), now: TestService.now)
            #expect(try await service.get("/shop/internal", headers: ["x-vitrine-identity": signed]).status == 403)
        }
    }

    // MARK: Context

    @Test func requestIdentifiersAreEchoedOrReplaced() async throws {
        try await run { (service: TestService) async throws in
            let kept = try await service.get("/shop/context", headers: ["x-request-id": "abc-1.Z_9"])
            #expect(kept.headers["x-request-id"] == "abc-1.Z_9")
            #expect(kept.text.contains(#""request":"abc-1.Z_9""#))
            for garbage in ["a b", "x\"y", String(repeating: "a", count: 129), "{{7*7}}", "é"] {
                let answer = try await service.get("/shop/taken", headers: ["x-request-id": garbage])
                let id = try #require(answer.headers["x-request-id"])
                #expect(id != garbage)
                #expect(id.utf8.count == 36)
                #expect(answer.headers["x-trace-id"]?.utf8.count == 32)
            }
            #expect(try await service.get("/nothing").headers["x-request-id"] != nil)
        }
    }

    @Test func aTrustedContextIsContinued() async throws {
        try await run { (service: TestService) async throws in
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let headers = [
                "traceparent": "00-\(trace)-b7ad6b7169203331-01", "baggage": "tier=gold",
            ]
            let answer = try await service.get("/shop/context", headers: headers, timeoutMilliseconds: 500)
            #expect(answer.headers["x-trace-id"] == trace)
            #expect(answer.text.contains(#""baggage":"gold""#))
            let span = try #require(service.capture.spans(named: "GET /shop/context").first)
            #expect(span.parent?.description == "b7ad6b7169203331")
            #expect(span.links.isEmpty)
            let left = try #require(Int(Self.field("deadline", in: answer.text)))
            #expect((1...500).contains(left))
        }
    }

    @Test func aStrangersContextBecomesALink() async throws {
        try await run(values: ["REQUEST_DEADLINE_MS": "3000"], trusts: false) { (service: TestService) async throws in
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let headers = [
                "traceparent": "00-\(trace)-b7ad6b7169203331-01", "baggage": "tier=gold",
                "x-request-id": "mine",
            ]
            let answer = try await service.get("/shop/context", headers: headers, timeoutMilliseconds: 2_000)
            #expect(answer.headers["x-trace-id"] != trace)
            #expect(answer.headers["x-request-id"] == "mine")
            #expect(answer.text.contains(#""baggage":"""#))
            let span = try #require(service.capture.spans(named: "GET /shop/context").first)
            #expect(span.parent == nil)
            #expect(span.links.map(\.traceID.description) == [trace])
            let left = try #require(Int(Self.field("deadline", in: answer.text)))
            #expect((2_001...3_000).contains(left))
        }
    }

    private static func field(_ name: String, in json: String) -> String {
        let parts = json.split(separator: "\"")
        guard let index = parts.firstIndex(where: { $0 == name }), index + 2 < parts.count else { return "" }
        return String(parts[index + 2])
    }

    // MARK: Observation

    @Test func spanMetricsAndLogLineAgree() async throws {
        try await run { (service: TestService) async throws in
            let answer = try await service.get("/shop/items/7?secret=1", headers: TestService.bearer(subject: "u-5"))
            let route = #"service="shopfront",method="GET",route="/shop/items/{id}""#
            let capture = service.capture
            #expect(capture.value("http_requests_total{\(route),status=\"200\"}") == 1)
            #expect(capture.value("http_request_duration_seconds_count{\(route),status=\"200\"}") == 1)
            let seconds = try #require(capture.value("http_request_duration_seconds_sum{\(route),status=\"200\"}"))
            #expect(
                capture.value(
                    #"http_server_request_duration_seconds_sum{http_request_method="GET",http_route="/shop/items/{id}",http_response_status_code="200",url_scheme="http",error_type="",network_protocol_version="1.1"}"#
                ) == seconds)
            #expect(capture.value("http_response_size_bytes_sum{\(route)}") == Double(answer.text.utf8.count))
            #expect(capture.value("http_request_size_bytes_sum{\(route)}") == 0)
            #expect(capture.value("http_requests_in_flight") == 0)

            let span = try #require(capture.spans(named: "GET /shop/items/{id}").first)
            #expect(span.kind == .server)
            #expect(span.attributes["http.route"] == "/shop/items/{id}")
            #expect(span.attributes["url.path"] == "/shop/items/7")
            #expect(span.attributes["http.response.status_code"] == 200)
            #expect(span.attributes["user.id"] == "u-5")
            #expect(span.status == .unset)
            #expect(Double(span.durationNanoseconds) / 1e9 == seconds)

            let lines = capture.logLines(event: HTTPTelemetry.request)
            #expect(lines.count == 1)
            let line = try #require(lines.first)
            #expect(line.contains(#""event.duration":\#(span.durationNanoseconds)"#))
            #expect(line.contains(#""http.response.status_code":200"#))
            #expect(line.contains(#""labels.http_route":"/shop/items/{id}""#))
            #expect(line.contains(#""url.path":"/shop/items/7""#))
            #expect(line.contains(#""user.id":"u-5""#))
            #expect(line.contains(#""client.address":"127.0.0.1""#))
            #expect(line.contains(#""trace.id":"\#(span.context.traceID)""#))
            #expect(line.contains(#""span.id":"\#(span.context.spanID)""#))
            #expect(line.contains(#""http.request.id":"\#(answer.headers["x-request-id"] ?? "?")""#))
            #expect(answer.headers["x-trace-id"] == span.context.traceID.description)
            #expect(capture.openMetricsText.contains(##"# {trace_id="\##(span.context.traceID)""##))
        }
    }

    @Test func failuresAreObservedLikeSuccesses() async throws {
        try await run { (service: TestService) async throws in
            let answer = try await service.get("/shop/broken")
            #expect(answer.status == 500)
            #expect(!answer.text.contains("Broken"))
            let span = try #require(service.capture.spans(named: "GET /shop/broken").first)
            #expect(span.status == .error(""))
            #expect(span.attributes["error.type"] == "Broken")
            #expect(service.capture.logLines(event: HTTPTelemetry.failed).count == 1)
            #expect(
                service.capture.value(
                    #"http_request_duration_seconds_count{service="shopfront",method="GET",route="/shop/broken",status="500"}"#
                )
                    == 1)
            #expect(try await service.get("/shop/taken").status == 409)
            #expect(service.capture.spans(named: "GET /shop/taken").first?.status == .unset)
        }
    }

    @Test func usualOutcomesAreShownBeforeTheyHappen() async throws {
        try await run { (service: TestService) async throws in
            for status in ["200", "401", "422", "499", "500", "503", "504"] {
                #expect(
                    service.capture.value(
                        #"http_requests_total{service="shopfront",method="GET",route="/shop/me",status="\#(status)"}"#)
                        == 0)
            }
        }
    }

    @Test func aStreamIsObservedAtItsEnd() async throws {
        try await run { (service: TestService) async throws in
            #expect(try await service.get("/shop/stream").text == "onethree")
            let route = #"service="shopfront",method="GET",route="/shop/stream""#
            #expect(await eventually { service.capture.value("http_requests_total{\(route),status=\"200\"}") == 1 })
            #expect(service.capture.value("http_response_size_bytes_sum{\(route)}") == 8)
            await #expect(throws: (any Error).self) { _ = try await service.get("/shop/stream/broken") }
            #expect(await eventually { !service.capture.spans(named: "GET /shop/stream/broken").isEmpty })
            let span = try #require(service.capture.spans(named: "GET /shop/stream/broken").first)
            #expect(span.attributes["error.type"] == "Broken")
        }
    }

    @Test func probesAreMeasuredButNotLogged() async throws {
        try await run { (service: TestService) async throws in
            for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
                #expect(try await service.get(path).status == 200, "\(path)")
                #expect(
                    service.capture.value(
                        #"http_requests_total{service="shopfront",method="GET",route="\#(path)",status="200"}"#) == 1)
            }
            let lines = service.capture.logLines(event: HTTPTelemetry.request)
            #expect(lines.allSatisfy { $0.contains(#""log.level":"debug""#) })
        }
    }

    @Test func deniedCallersAreLoggedWithAReason() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.get("/shop/me", headers: TestService.bearer(expiresIn: -100))
            let line = try #require(service.capture.logLines(event: HTTPTelemetry.denied).first)
            #expect(line.contains(#""labels.reason":"token_expired""#))
        }
    }
}

/// A body of given pieces, perhaps failing at its end.
struct Pieces: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error
    var pieces: [[UInt8]]
    var error: (any Error)?

    struct Iterator: AsyncIteratorProtocol {
        var left: ArraySlice<[UInt8]>
        let error: (any Error)?
        mutating func next() async throws -> [UInt8]? {
            if let piece = left.popFirst() { return piece }
            if let error { throw error }
            return nil
        }
        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? { try await next() }
    }

    func makeAsyncIterator() -> Iterator { Iterator(left: pieces[...], error: error) }
}
