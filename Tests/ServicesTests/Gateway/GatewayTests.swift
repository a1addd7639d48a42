import EventLoop
import HTTP
import HTTPCodec
import Security
import ServiceKit
import Synchronization
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing

@testable import Gateway

/// The gateway before stand-ins for the services.
@Suite struct GatewayTests {
    private func running<T>(
        _ orders: StandIn, values: [String: String] = [:], _ body: (Deployment) async throws -> T
    ) async throws -> T {
        var settings = ["ORDERS_URL": orders.url]
        for name in ["USERS", "CATALOG", "CART", "WAREHOUSE", "PAYMENTS", "NOTIFICATIONS", "PROCESSOR", "PURCHASE"] {
            settings[name + "_URL"] = "http://127.0.0.1:1"
        }
        settings.merge(values) { $1 }
        let result = try await Deployment.run([GatewayService.definition], values: settings, body)
        await orders.stop()
        return result
    }

    private func get(_ gateway: Deployment, _ target: String = "/order-api/orders/", _ headers: (String, String)...)
        async throws -> Reply
    {
        try await gateway.send("gateway", .get, target, headers: headers)
    }

    // MARK: Identity

    @Test func whatAClientSaysOfItselfNeverReachesAService() async throws {
        let orders = try await StandIn()
        try await running(orders) { (gateway: Deployment) async throws in
            let forged = Deployment.signed(Identity(userID: "u-9", username: "eve", roles: ["admin"]))
            let reply = try await gateway.send(
                "gateway", .get, "/order-api/orders/?a=1",
                headers: [
                    forged, ("X-User-ID", "u-9"), ("X-Admin", "true"), ("admin", "true"), ("X-Company-ID", "c"),
                    ("X-Forwarded-For", "8.8.8.8"), ("X-Forwarded-Host", "evil.example"), ("Forwarded", "for=8.8.8.8"),
                    ("X-Real-IP", "8.8.8.8"), ("X-Request-Deadline", "99999999"), ("Accept", "application/json"),
                ])
            #expect(reply.status == 200)
            #expect(reply.text == "/order-api/orders/?a=1")
            let headers = try #require(orders.requests.first).headers
            for name in [
                "x-vitrine-identity", "x-user-id", "x-admin", "admin", "x-company-id", "forwarded", "x-real-ip",
            ] {
                #expect(!headers.contains(name))
            }
            #expect(headers.values("x-forwarded-for") == ["127.0.0.1"])
            #expect(headers.values("x-forwarded-proto") == ["http"])
            #expect(headers.values("x-forwarded-host") == [String(try gateway.url("gateway").dropFirst(7))])
            #expect(headers["via"] == "1.1 vitrine")
            #expect(headers["accept"] == "application/json")
            #expect((Int(headers["x-request-deadline"] ?? "") ?? .max) <= 10_000)
        }
    }

    @Test func aGoodTokenBecomesASignedIdentity() async throws {
        let orders = try await StandIn()
        try await running(orders) { (gateway: Deployment) async throws in
            let forged = Deployment.signed(Identity(userID: "u-9", username: "eve", roles: ["admin"]))
            for _ in 0..<2 {
                _ = try await get(
                    gateway, "/order-api/orders/", Deployment.bearer(["manager"], subject: "u-1"), forged,
                    ("Connection", "x-vitrine-identity, x-forwarded-for"))
            }
            for request in orders.requests {
                #expect(!request.headers.contains("authorization"))
                let values = request.headers.values(IdentitySigner.header)
                #expect(values.count == 1)
                let identity = try Deployment.identities.verify(values[0], now: Deployment.now)
                #expect(identity == Identity(userID: "u-1", username: "mira", roles: ["manager"]))
                #expect(request.headers.values("x-forwarded-for") == ["127.0.0.1"])
            }
            #expect(orders.requests.count == 2)
        }
    }

    @Test func aBadTokenIsRefusedInTheShapeOfItsPath() async throws {
        let orders = try await StandIn()
        try await running(orders, values: ["USERS_URL": orders.url]) { (gateway: Deployment) async throws in
            let other = TokenSigner(secret: String(repeating: "o", count: 32))
            let claims = AccessTokenClaims(
                subject: "u-1", username: "eve", roles: ["admin"], companyID: nil, issuedAt: Deployment.now,
                expiresAt: Deployment.now + 900, tokenID: "t")
            for bad in ["Bearer \(other.sign(claims))", "Bearer nonsense", "Bearer ", "Basic YTpi", "x"] {
                let detail = try await get(gateway, "/order-api/orders/", ("authorization", bad))
                #expect(detail.status == 401)
                #expect(detail.text == #"{"detail":"Could not validate credentials"}"#)
                #expect(detail.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
                let marimo = try await get(gateway, "/api/users/profile", ("authorization", bad))
                #expect(marimo.status == 401)
                #expect(marimo.text == #"{"success":false,"message":"Could not validate credentials"}"#)
                let problem = try await get(gateway, "/api/v1/payments", ("authorization", bad))
                #expect(problem.status == 401)
                #expect(problem.headers["content-type"] == "application/problem+json")
                #expect(problem.text.contains(#""code":"token_invalid""#) && problem.text.contains("trace_id"))
            }
            #expect(orders.requests.isEmpty)
            // Whoever asks for a new token may still show the old one.
            let refresh = try await gateway.send(
                "gateway", .post, "/api/users/refresh", headers: [("authorization", "Bearer old")], json: "{}")
            #expect(refresh.status == 200)
            #expect(orders.requests.map(\.target) == ["/api/users/refresh"])
        }
    }

    @Test func unknownPathsAndMethodsGoNowhere() async throws {
        let orders = try await StandIn()
        try await running(orders) { (gateway: Deployment) async throws in
            for target in ["/", "/internal/orders", "/order-apix/orders", "//order-api/orders"] {
                let reply = try await get(gateway, target)
                #expect(reply.status == 404)
                #expect(reply.headers["content-type"] == "application/problem+json")
            }
            for target in ["/order-api/../internal/x", "/order-api/%2e%2e/internal", "/order-api/a%2fb"] {
                #expect(try await get(gateway, target).status == 400)
            }
            for method in [HTTPMethod.trace, .other("PURGE")] {
                let reply = try await gateway.send("gateway", method, "/order-api/orders/")
                #expect(reply.status == 405)
                #expect(reply.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
            }
            #expect(orders.requests.isEmpty)
            let capture = try gateway.capture("gateway")
            #expect(!capture.text.contains("internal/orders"))
        }
    }

    // MARK: Requests and answers

    @Test func methodsBodiesAndStatusesPassUnchanged() async throws {
        let orders = try await StandIn { request in
            let body = try await request.body.collect(upTo: 1 << 20)
            var response = HTTPResponse(
                status: HTTPStatus(Int(request.query.map(String.init) ?? "") ?? 200), body: .bytes(body))
            response.headers.add("etag", "\"1\"")
            response.headers.add("x-method", request.method.name)
            response.headers.add("x-type", request.headers["content-type"] ?? "")
            response.headers.add("x-frame-options", "SAMEORIGIN")
            return response
        }
        try await running(orders) { (gateway: Deployment) async throws in
            for method in [HTTPMethod.post, .put, .patch, .delete] {
                let reply = try await gateway.send("gateway", method, "/order-api/x?422", json: #"{"a":1}"#)
                #expect(reply.status == 422)
                #expect(reply.text == #"{"a":1}"#)
                #expect(reply.headers["x-method"] == method.name)
                #expect(reply.headers["x-type"] == "application/json")
                #expect(reply.headers["etag"] == "\"1\"")
                #expect(reply.headers.values("x-frame-options") == ["SAMEORIGIN"])
                #expect(reply.headers.values("x-content-type-options") == ["nosniff"])
            }
            #expect(try await get(gateway, "/order-api/x?304").status == 304)
            #expect(try await get(gateway, "/order-api/x?204").text == "")
        }
    }

    @Test func headTellsTheLengthThatGetWouldHave() async throws {
        let orders = try await StandIn { request in HTTPResponse(body: .bytes(Array("hello".utf8))) }
        try await running(orders) { (gateway: Deployment) async throws in
            let head = try await gateway.send("gateway", .head, "/order-api/orders/")
            #expect(head.status == 200)
            #expect(head.text == "")
            #expect(head.headers.values("content-length") == ["5"])
        }
    }

    @Test func requestIDsPassAndOutsideTracesBecomeLinks() async throws {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let headers = [
            ("traceparent", "00-\(trace)-00f067aa0ba902b7-01"), ("x-request-id", "my-request-1"), ("baggage", "evil=1"),
        ]
        for isTrusted in [false, true] {
            let orders = try await StandIn()
            try await running(orders, values: ["GATEWAY_TRUST_TRACE_CONTEXT": "\(isTrusted)"]) {
                (gateway: Deployment) async throws in
                let reply = try await gateway.send("gateway", .get, "/order-api/orders/", headers: headers)
                #expect(reply.headers.values("x-request-id") == ["my-request-1"])
                let passed = try #require(orders.requests.first).headers
                #expect(passed.values("x-request-id") == ["my-request-1"])
                #expect(passed.values("traceparent").count == 1)
                #expect(try #require(passed["traceparent"]).contains(trace) == isTrusted)
                #expect((reply.headers["x-trace-id"] == trace) == isTrusted)
                #expect(passed["baggage"]?.contains("evil") != true)
                let span = try #require(
                    try gateway.capture("gateway").spans(named: "GET /order-api/{path}").first { $0.kind == .server })
                #expect(span.links.map { "\($0.traceID)" } == (isTrusted ? [] : [trace]))
            }
        }
    }

    @Test func aMalformedRequestIDIsReplaced() async throws {
        let orders = try await StandIn()
        try await running(orders) { (gateway: Deployment) async throws in
            let bad = String(repeating: "x", count: 2_000)
            let reply = try await get(gateway, "/order-api/orders/", ("x-request-id", bad), ("traceparent", "00-zz"))
            #expect(reply.status == 200)
            let id = try #require(reply.headers["x-request-id"])
            #expect(id != bad && id.utf8.count == 36)
            #expect(orders.requests.first?.headers["x-request-id"] == id)
        }
    }

    // MARK: Limits

    @Test func tooManyRequestsAreRefusedWhateverTheClientSaysOfItsAddress() async throws {
        let orders = try await StandIn()
        let values = ["GATEWAY_RATE_LIMIT_PER_SECOND": "1", "GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND": "1"]
        try await running(orders, values: values) { (gateway: Deployment) async throws in
            var refused: Reply?
            for number in 0..<20 where refused == nil {
                let reply = try await get(gateway, "/order-api/orders/", ("x-forwarded-for", "10.0.0.\(number)"))
                if reply.status != 200 { refused = reply }
            }
            let reply = try #require(refused)
            #expect(reply.status == 429)
            let wait = try #require(Int(reply.headers["retry-after"] ?? ""))
            #expect(wait >= 1)
            #expect(reply.text == #"{"detail":"too many requests: try again in \#(wait) s"}"#)
            #expect(reply.headers["ratelimit"] == "\"address\";r=0;t=\(wait)")
            #expect(reply.headers["ratelimit-policy"] == "\"address\";q=2;w=2")
            #expect(reply.headers["x-content-type-options"] == "nosniff")
            #expect((try gateway.capture("gateway").value(#"gateway_rate_limited_total{class="address"}"#) ?? 0) >= 1)
        }
    }

    @Test func signInsAreLimitedMoreTightly() async throws {
        let users = try await StandIn()
        let values = ["USERS_URL": users.url, "GATEWAY_SENSITIVE_RATE_LIMIT_PER_SECOND": "1"]
        try await running(users, values: values) { (gateway: Deployment) async throws in
            var statuses: [Int] = []
            for _ in 0..<12 {
                statuses.append(
                    try await gateway.send("gateway", .post, "/api/users/login", json: "{}").status)
            }
            #expect(statuses.prefix(2) == [200, 200])
            #expect(statuses.contains(429))
            #expect(try await get(gateway).status == 200)
            #expect(
                (try gateway.capture("gateway").value(#"gateway_rate_limited_total{class="sensitive"}"#) ?? 0) >= 1)
        }
    }

    @Test func oneUserIsLimitedFromEverywhere() async throws {
        let orders = try await StandIn()
        try await running(orders, values: ["GATEWAY_USER_RATE_LIMIT_PER_SECOND": "1"]) {
            (gateway: Deployment) async throws in
            var statuses: [Int] = []
            for _ in 0..<12 { statuses.append(try await get(gateway, "/order-api/x", Deployment.bearer()).status) }
            #expect(statuses.contains(429))
            #expect(try await get(gateway, "/order-api/x", Deployment.bearer(subject: "u-2")).status == 200)
            #expect(try await get(gateway).status == 200)
        }
    }

    @Test func aBodyThatIsTooLargeIsTheClientsFault() async throws {
        let orders = try await StandIn { request in
            HTTPResponse(body: .bytes(Array("\(try await request.body.collect(upTo: 1 << 20).count)".utf8)))
        }
        try await running(orders, values: ["GATEWAY_MAX_BODY_BYTES": "2048"]) { (gateway: Deployment) async throws in
            // The server's bound is never below that of its other routes.
            let large = "\"" + String(repeating: "a", count: 2 << 20) + "\""
            for _ in 0..<8 {
                #expect(try await gateway.send("gateway", .post, "/order-api/orders/", json: large).status == 413)
            }
            let fits = try await gateway.send("gateway", .post, "/order-api/orders/", json: "\"fits\"")
            #expect(fits.status == 200)
            #expect(fits.text == "6")
        }
    }

    // MARK: Services that fail

    @Test func aServiceThatIsDownIs503AndSoonNotAskedAnyMore() async throws {
        let orders = try await StandIn()
        try await running(orders) { (gateway: Deployment) async throws in
            let first = try await gateway.send("gateway", .post, "/cart-api/cart/items", json: "{}")
            #expect(first.status == 503)
            #expect(
                first.text
                    == #"{"detail":"the service behind this path cannot be reached: try again in a moment"}"#)
            #expect(first.headers["retry-after"] == "1")
            for _ in 0..<5 { _ = try await gateway.send("gateway", .post, "/cart-api/cart/items", json: "{}") }
            let refused = try await get(gateway, "/cart-api/cart/")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "30")
            let capture = try gateway.capture("gateway")
            #expect(capture.value(#"gateway_breaker_open{upstream="cart"}"#) == 1)
            #expect(capture.value(#"gateway_breaker_open{upstream="orders"}"#) == 0)
            #expect(
                capture.value(#"gateway_upstream_errors_total{error_type="connect_failed",upstream="cart"}"#) == 5)
            #expect((capture.value(#"gateway_breaker_refusals_total{upstream="cart"}"#) ?? 0) >= 2)
            // Others are not concerned.
            #expect(try await get(gateway).status == 200)
        }
    }

    @Test func errorsOfOneRouteDoNotCloseTheOthers() async throws {
        let orders = try await StandIn { request in
            HTTPResponse(status: request.path == "/order-api/broken" ? .internalServerError : .ok)
        }
        try await running(orders) { (gateway: Deployment) async throws in
            for _ in 0..<10 { #expect(try await get(gateway, "/order-api/broken").status == 500) }
            #expect(try await get(gateway).status == 200)
        }
    }

    @Test func aServiceThatDoesNotAnswerInTimeIs504() async throws {
        let orders = try await StandIn { request in
            try await Task.sleep(nanoseconds: 30_000_000_000)
            return HTTPResponse()
        }
        try await running(orders, values: ["GATEWAY_UPSTREAM_TIMEOUT_MS": "200"]) {
            (gateway: Deployment) async throws in
            let reply = try await get(gateway)
            #expect(reply.status == 504)
            #expect(reply.text == #"{"detail":"the service behind this path did not answer in time"}"#)
            let problem = try await get(gateway, "/order-api/orders/", ("accept", "*/*"))
            #expect(problem.headers["referrer-policy"] == "no-referrer")
        }
    }

    @Test func aServiceThatDoesNotSpeakHTTPIs502() async throws {
        let server = MailServer()
        let orders = try await StandIn()
        try await running(orders, values: ["PAYMENTS_URL": "http://127.0.0.1:\(server.port)"]) {
            (gateway: Deployment) async throws in
            let reply = try await get(gateway, "/api/v1/payments")
            #expect(reply.status == 502)
            #expect(reply.text.contains(#""code":"upstream_broken""#))
        }
        server.stop()
    }

    @Test func clientsThatLeaveSayNothingAboutTheService() async throws {
        let gate = Mutex(true)
        let orders = try await StandIn { request in
            if gate.withLock({ $0 }) { try await Task.sleep(nanoseconds: 30_000_000_000) }
            return HTTPResponse()
        }
        try await running(orders) { (gateway: Deployment) async throws in
            for _ in 0..<8 {
                let call = Task { try await self.get(gateway) }
                let before = orders.requests.count
                #expect(await eventually { orders.requests.count > before })
                call.cancel()
                _ = try? await call.value
            }
            gate.withLock { $0 = false }
            #expect(try await get(gateway).status == 200)
            #expect(try gateway.capture("gateway").value(#"gateway_breaker_open{upstream="orders"}"#) == 0)
        }
    }

    @Test func theHealthOfAllServicesIsAskedForAtOnce() async throws {
        let orders = try await StandIn()
        let names = ["USERS", "CATALOG", "CART", "WAREHOUSE", "PAYMENTS", "NOTIFICATIONS", "PROCESSOR", "PURCHASE"]
        try await running(orders, values: ["CART_URL": "http://127.0.0.1:1"]) { (gateway: Deployment) async throws in
            let reply = try await get(gateway, "/health/services")
            #expect(reply.status == 503)
            #expect(reply.text.contains(#""orders":"up""#) && reply.text.contains(#""cart":"down""#))
        }
        let all = try await StandIn()
        let values = Dictionary(uniqueKeysWithValues: names.map { ($0 + "_URL", all.url) })
        try await running(all, values: values) { (gateway: Deployment) async throws in
            for _ in 0..<5 { #expect(try await get(gateway, "/health/services").status == 200) }
            // Asked once a second, however often the gateway is asked.
            #expect(all.requests.count <= 18)
            #expect(all.requests.allSatisfy { $0.target == "/health/ready" })
        }
    }

    // MARK: Browsers

    @Test func pagesOfOtherOriginsMayCallWhenTheyAreNamed() async throws {
        let orders = try await StandIn()
        try await running(orders, values: ["GATEWAY_CORS_ORIGINS": "https://shop.example"]) {
            (gateway: Deployment) async throws in
            let asks = ("access-control-request-method", "POST")
            let preflight = try await gateway.send(
                "gateway", .options, "/order-api/orders/", headers: [("origin", "https://shop.example"), asks])
            #expect(preflight.status == 204)
            #expect(preflight.headers.values("access-control-allow-origin") == ["https://shop.example"])
            #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
            #expect(preflight.headers["access-control-allow-headers"]?.contains("authorization") == true)
            #expect(orders.requests.isEmpty)

            let call = try await get(gateway, "/order-api/orders/", ("origin", "https://shop.example"))
            #expect(call.headers.values("access-control-allow-origin") == ["https://shop.example"])
            #expect(call.headers["vary"] == "Origin")
            // An error that a page may not read cannot be shown.
            let refused = try await get(
                gateway, "/order-api/orders/", ("origin", "https://shop.example"), ("authorization", "Bearer x"))
            #expect(refused.status == 401)
            #expect(refused.headers.values("access-control-allow-origin") == ["https://shop.example"])

            for origin in ["https://evil.example", "null", "https://shop.example.evil.example"] {
                let other = try await get(gateway, "/order-api/orders/", ("origin", origin))
                #expect(!other.headers.contains("access-control-allow-origin"))
            }
        }
    }

    // MARK: Large bodies

    @Test func largeAnswersStreamAtTheReadersPace() async throws {
        let pieces = 1_024
        let source = PacedBody(pieces: pieces)
        let orders = try await StandIn { _ in HTTPResponse(body: .stream(length: nil, source)) }
        try await running(orders) { (gateway: Deployment) async throws in
            let response = try await gateway.client.send(
                HTTPRequest(method: .get, target: "/order-api/export"), to: try gateway.url("gateway"))
            guard case .stream(_, let body) = response.body else {
                Issue.record("the answer was not streamed")
                return
            }
            let stuck = try await Self.readOnePieceAndWait(body, source)
            // 64 MiB come; what lies between the service and a reader who pauses is buffers of sockets and loops.
            #expect(stuck.produced * PacedBody.pieceBytes < 24 << 20)
            #expect(stuck.read == pieces * PacedBody.pieceBytes)
        }
    }

    /// Reads a piece, waits until the source stops for want of room, then reads the rest.
    private static func readOnePieceAndWait(
        _ body: some AsyncSequence<[UInt8], any Error> & Sendable, _ source: PacedBody
    ) async throws -> (produced: Int, read: Int) {
        var iterator = body.makeAsyncIterator()
        var read = try await iterator.next()?.count ?? 0
        var produced = -1
        while produced != source.produced {
            produced = source.produced
            try await Task.sleep(nanoseconds: 300_000_000)
        }
        while let piece = try await iterator.next() { read += piece.count }
        return (produced, read)
    }

    @Test func largeUploadsStreamAtTheServicesPace() async throws {
        let pieces = 512
        let source = PacedBody(pieces: pieces)
        let stuckAt = Mutex(0)
        let orders = try await StandIn(maxBodyBytes: 64 << 20) { request in
            var read = 0
            guard case .stream(_, let body) = request.body else { return HTTPResponse(status: .badRequest) }
            let (produced, all) = try await Self.readOnePieceAndWait(body, source)
            stuckAt.withLock { $0 = produced }
            read += all
            return HTTPResponse(body: .bytes(Array("\(read)".utf8)))
        }
        try await running(orders, values: ["GATEWAY_MAX_BODY_BYTES": "\(64 << 20)"]) {
            (gateway: Deployment) async throws in
            var request = HTTPRequest(method: .post, target: "/order-api/import")
            request.body = .stream(length: pieces * PacedBody.pieceBytes, source)
            let response = try await gateway.client.send(
                request, to: try gateway.url("gateway"), timeoutMilliseconds: 30_000)
            #expect(response.status == .ok)
            let text = String(decoding: try await response.body.collect(upTo: 100), as: UTF8.self)
            #expect(text == "\(pieces * PacedBody.pieceBytes)")
            #expect(stuckAt.withLock { $0 } * PacedBody.pieceBytes < 24 << 20)
        }
    }
}

/// A body that says how far it has been read.
final class PacedBody: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error
    static let pieceBytes = 64 * 1024

    private let pieces: Int
    private let count = Atomic<Int>(0)

    init(pieces: Int) { self.pieces = pieces }

    var produced: Int { count.load(ordering: .relaxed) }

    struct Iterator: AsyncIteratorProtocol {
        let body: PacedBody
        var number = 0

        mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }
        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            guard number < body.pieces else { return nil }
            number += 1
            body.count.store(number, ordering: .relaxed)
            return [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: PacedBody.pieceBytes)
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }
}
