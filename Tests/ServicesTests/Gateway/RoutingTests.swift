import HTTPCodec
import Testing

@testable import Gateway

@Suite struct RoutingTests {
    @Test(arguments: [
        ("/api/users/profile", "users", "/api/users/{path}"), ("/api/users", "users", "/api/users/{path}"),
        ("/api/users/login", "users", "/api/users/login"), ("/api/users/login?x=/a", "users", "/api/users/login"),
        ("/api/users/logins", "users", "/api/users/{path}"), ("/user-api/token", "users", "/user-api/token"),
        ("/user-api/users/me/profile", "users", "/user-api/{path}"),
        ("/api/products/?limit=5", "catalog", "/api/products/{path}"),
        ("/api/products?category=Toys", "catalog", "/api/products/{path}"),
        ("/api/system/health", "catalog", "/api/system/{path}"), ("/cart-api/cart/", "cart", "/cart-api/{path}"),
        ("/order-api/orders/1", "orders", "/order-api/{path}"),
        ("/api/v1/stock-levels?name__like=a", "warehouse", "/api/v1/stock-levels/{path}"),
        ("/api/v1/payments/1", "payments", "/api/v1/payments/{path}"),
        ("/api/v1/audit?subject=1", "notifications", "/api/v1/audit/{path}"),
        ("/api/v1/deliveries", "notifications", "/api/v1/deliveries/{path}"),
        ("/api/v1/suppliers?limit=1", "purchase", "/api/v1/suppliers/{path}"),
        ("/api/v1/purchase-orders/7/order", "purchase", "/api/v1/purchase-orders/{path}"),
        ("/api/v1/tasks/users/1?wait_timeout=5", "users", "/api/v1/tasks/users/{path}"),
        ("/api/v1/tasks/purchase/1", "purchase", "/api/v1/tasks/purchase/{path}"),
        ("/api/v1/purchase-order-lines", "purchase", "/api/v1/purchase-order-lines/{path}"),
    ])
    func theLongestPrefixWins(_ target: String, _ service: String, _ template: String) throws {
        let entry = try #require(RoutingTable.platform.entry(for: target))
        #expect(entry.service == service)
        #expect(entry.template == template)
    }

    @Test(arguments: [
        "/", "", "/api", "/api/", "/api/usersx", "/api/user", "/order-apix", "/order-ap", "/internal/users/1/contact",
        "//user-api/token", "/API/users", "/api/v1", "/api/v1/stock-levelss", "/api/v1/tasks/1", "?/user-api", "*",
        "/metrics",
    ])
    func otherPathsGoNowhere(_ target: String) { #expect(RoutingTable.platform.entry(for: target) == nil) }

    @Test func clientsOfOneNetworkCountAsOne() {
        #expect(ClientKey.of("10.1.2.3") == "10.1.2.3")
        #expect(ClientKey.of("2001:db8:1:2::1") == ClientKey.of("2001:db8:1:2:ffff:ffff:ffff:ffff"))
        #expect(ClientKey.of("2001:db8:1:2::1") != ClientKey.of("2001:db8:1:3::1"))
        #expect(ClientKey.of("::ffff:10.1.2.3") == "10.1.2.3")
        #expect(ClientKey.of("nonsense") == "nonsense")
    }
}

@Suite struct HeaderPolicyTests {
    private func fields(_ all: [(String, String)]) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in all { fields.add(name, value) }
        return fields
    }

    private func names(_ fields: HTTPFields) -> [String] {
        var names: [String] = []
        fields.forEach { name, _ in names.append(name) }
        return names
    }

    @Test func whatAClientMustNotSayIsTakenOut() {
        var sent = fields([
            ("X-Vitrine-Identity", "a"), ("x-vitrine-anything", "a"), ("X-USER-ID", "1"), ("X-Admin", "true"),
            ("admin", "true"), ("X-Company-ID", "1"), ("X-Roles", "admin"), ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"), ("X-Forwarded-Port", "1"),
            ("X-Forwarded-Client-Cert", "x"), ("Forwarded", "for=1"), ("X-Real-IP", "10.0.0.1"),
            ("X-Request-Deadline", "99999999"), ("X-Request-ID", "r"), ("traceparent", "t"), ("tracestate", "t"),
            ("baggage", "a=b"), ("Authorization", "Bearer x"), ("Host", "a"), ("Content-Length", "5"),
            ("Expect", "100-continue"), ("Connection", "x-custom, close"), ("X-Custom", "1"), ("Keep-Alive", "5"),
            ("TE", "trailers"), ("Trailer", "x"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"),
            ("Proxy-Authorization", "x"), ("Proxy-Connection", "x"),
        ])
        sent = HeaderPolicy.request(sent, spareFields: 0, spareBytes: 0)
        #expect(names(sent) == [])
    }

    @Test func whatIsLeftStaysAsItWas() {
        let kept = [
            ("Accept", "*/*"), ("Content-Type", "application/json"), ("Idempotency-Key", "k"), ("Cookie", "a=b"),
            ("X-User", "x"), ("administrator", "x"), ("X-Forwarded", "x"), ("User-Agent", "curl"),
        ]
        var sent = fields(kept)
        sent = HeaderPolicy.request(sent, spareFields: 0, spareBytes: 0)
        #expect(names(sent) == kept.map(\.0))
        #expect(sent["idempotency-key"] == "k")
    }

    @Test func answersKeepWhatIsForClients() {
        let all = [
            ("Content-Type", "text/plain"), ("Content-Length", "5"), ("Date", "now"), ("Server", "x"), ("ETag", "1"),
            ("X-Vitrine-Identity", "a"), ("Connection", "close"), ("Set-Cookie", "a"), ("Set-Cookie", "b"),
            ("X-Request-ID", "other"), ("X-Trace-ID", "other"),
        ]
        var answer = fields(all)
        answer = HeaderPolicy.response(answer, keepsLength: false, spareFields: 4, spareBytes: 64)
        #expect(names(answer) == ["Content-Type", "ETag", "Set-Cookie", "Set-Cookie"])
        var head = fields(all)
        head = HeaderPolicy.response(head, keepsLength: true, spareFields: 0, spareBytes: 0)
        #expect(head["content-length"] == "5")
    }

    @Test func securityFieldsDoNotReplaceAServicesOwn() {
        var answer = fields([("content-security-policy", "default-src 'self'")])
        SecurityHeaders(isEncrypted: true).add(to: &answer)
        #expect(answer.values("content-security-policy") == ["default-src 'self'"])
        for name in ["x-content-type-options", "x-frame-options", "referrer-policy", "strict-transport-security"] {
            #expect(answer.values(name).count == 1)
        }
        var plain = HTTPFields()
        SecurityHeaders(isEncrypted: false).add(to: &plain)
        #expect(!plain.contains("strict-transport-security"))
    }
}
