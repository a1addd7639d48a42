import Telemetry
import TelemetryTesting
import Testing

@Suite struct RedactionTests {
    static let event = LogEvent("test.line", help: "A line.")
    static let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_0"

    @Test(arguments: [
        ("sent to ann.lee+tag@shop.example.com.", "sent to [redacted]."),
        ("<a@b.co>", "<[redacted]>"),
        ("jürgen@bücher.example wrote", "[redacted] wrote"),
        ("two a@b.co, c@d.org!", "two [redacted], [redacted]!"),
        ("postgres://shop:hunter2@db:5432/orders failed", "postgres://[redacted]@db:5432/orders failed"),
        ("Authorization: Bearer abc123.def456", "Authorization: Bearer [redacted]"),
        ("BASIC dXNlcjpwYXNzd29yZA==", "BASIC [redacted]"),
        ("token \(token) refused", "token [redacted] refused"),
        ("Bearer \(token)", "Bearer [redacted]"),
        ("card 4111 1111 1111 1111 declined", "card [redacted] declined"),
        ("card 4111-1111-1111-1111.", "card [redacted]."),
        ("5555555555554444", "[redacted]"),
        ("amex 378282246310005!", "amex [redacted]!"),
        ("call +421 905 123 456 now", "call [redacted] now"),
        ("+1 (555) 010-9999", "[redacted]"),
        ("host=db password=hunter2 user=shop", "host=db password=[redacted] user=shop"),
        ("?access_token=abc&page=2", "?access_token=[redacted]&page=2"),
        ("secret=\"a b c\" next", "secret=[redacted] next"),
        // Credentials in small letters.
        ("sent bearer 3f2a9c7d1e with it", "sent bearer [redacted] with it"),
        ("basic dxnlcjpwyxnz", "basic dxnlcjpwyxnz"),
        ("basic dxnlcjpwyxnz1", "basic [redacted]"),
        ("authorization: bearer abcdefgh", "authorization: bearer [redacted]"),
        ("authorization: basic dxnlcjpwyxnz", "authorization: basic [redacted]"),
        ("Proxy-Authorization:  Bearer   abc, retried", "Proxy-Authorization:  Bearer   [redacted], retried"),
        // Names before a colon.
        ("password: hunter2", "password: [redacted]"),
        ("login with password:hunter2, retried", "login with password:[redacted], retried"),
        ("x-api-key: abc123 sent", "x-api-key: [redacted] sent"),
        ("X-API-Key:\tabc123\nhost: a", "X-API-Key:\t[redacted]\nhost: a"),
        ("cookie: sid=1; theme=dark\nhost: a", "cookie: [redacted]\nhost: a"),
        ("Authorization: Digest username=u, response=r", "Authorization: [redacted]"),
        (#"{"password":"hunter2","id":1}"#, #"{"password":"[redacted]","id":1}"#),
        (#"{"password" : "a\"b, c" , "id":1}"#, #"{"password" : "[redacted]" , "id":1}"#),
        (#"{\"password\":\"hunter2\",\"id\":1}"#, #"{\"password\":\"[redacted]\",\"id\":1}"#),
        (#"{"pin":1234,"n":1}"#, #"{"pin":[redacted],"n":1}"#),
        (#"{"cards":["a]","b"],"n":1}"#, #"{"cards":[redacted],"n":1}"#),
        (#"{"credentials":{"a":{"b":"c}"}},"n":1}"#, #"{"credentials":[redacted],"n":1}"#),
        (#"{"password":"unfinished"#, #"{"password":"[redacted]"#),
        ("{'apiKey': 'abc', 'n': 1}", "{'apiKey': '[redacted]', 'n': 1}"),
        ("password = hunter2", "password = [redacted]"),
        ("password := 'hunter2'", "password := [redacted]"),
        (#"headers["authorization"] = "abc""#, #"headers["authorization"] = "[redacted]""#),
        (
            "user[password]=hunter2&user%5Bpassword%5D=hunter2",
            "user[password]=[redacted]&user%5Bpassword%5D=[redacted]"
        ),
        ("API key: abc", "API key: [redacted]"),
        ("card number: 4111 1111 1111 1112, next", "card number: [redacted], next"),
        ("phone: 0905 123 456 called", "phone: [redacted] called"),
        // As URLs have them.
        ("/users/ann%40shop.example/orders", "/users/[redacted]/orders"),
        ("/calls/%2B421905123456", "/calls/[redacted]"),
        ("/reset?token=REDACTED&email=ann@shop.example", "/reset?token=REDACTED&email=[redacted]"),
    ])
    func secretsAreFound(text: String, expected: String) { #expect(PatternRedaction.redacted(text) == expected) }

    @Test(arguments: [
        "", "@", "a@", "@b", "a@b", "user @ home", "Bearer token is missing", "a Basic mistake", "B", "= = =", "x=1",
        "4111 1111 1111 1112", "1767225600000000000 ns", "order 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "12345678-1234-1234-1234-123456789012", "2026-11-21T08:26:56.123456Z", "1+2=3", "+12 items", "eyJ",
        "the Journal of B+ trees @ 10.0.0.1:5432", "page=2&size=50", "GET /order-api/orders/ 200", "v4.111111111111111",
        "routing_key: orders.created", "routing_key=orders.created", #"{"idempotency_key":"3f2504e0","code":"A1"}"#,
        "idempotency key: 3f2504e0-4f89-41d3-9a0c-0305e82c3301", "trace_id: 4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id=00f067aa0ba902b7", "order: 3f2504e0-4f89-41d3-9a0c-0305e82c3301", "order number: 17, code: A1B2C3",
        "status code: 503", "http://127.0.0.1:8080/orders?page=2", "2026-11-21 08:26:56: done", "primary key: id",
        "Token::parse failed", "if token == nil", "the token:", "basic authentication was refused",
        "a database: purchases, parameters", "50 % of 12", "a%40b", "password: [redacted]", "discarded: 5",
        "spinner: on", "company: Acme", "author: Ann", "authored_by=Ann", "barer arered1", "shop:cart:17",
    ])
    func harmlessTextStays(text: String) { #expect(PatternRedaction.redacted(text) == text) }

    @Test func secretIsFoundAtEveryPlaceAndLength() {
        for before in 0..<20 {
            for after in 0..<20 {
                for secret in [
                    "ann@shop.example", "4111111111111111", "+421905123456", "Bearer 0123456789", Self.token,
                    "bearer 0123456789", "basic 0123456789", "BASIC 0123456789", "pin:0123456789",
                    "\"otp\":\"0123456789\"", "ann%40shop.example",
                ] {
                    let head = String(repeating: ".", count: before) + " "
                    let tail = " " + String(repeating: ".", count: after)
                    let cleaned = PatternRedaction.redacted(head + secret + tail)
                    #expect(cleaned.hasPrefix(head) && cleaned.hasSuffix(tail) && cleaned.contains("[redacted]"))
                    #expect(!cleaned.contains(secret.suffix(6)), "\(cleaned)")
                }
            }
        }
    }

    @Test func linesAndRecordsAreBothCleaned() {
        let capture = TelemetryCapture()
        capture.telemetry.logger.log(
            Self.event, "mail to ann@shop.example failed",
            [
                Attribute(AttributeKey("error.message"), "Bearer 0123456789 was refused"),
                Attribute(AttributeKey("url.path"), "/users/ann@shop.example"),
                Attribute(AttributeKey("labels.list"), .strings(["4111111111111111", "kept"])),
                Attribute(AttributeKey("labels.count"), 3),
            ])
        #expect(capture.logLines[0].contains("\"message\":\"mail to [redacted] failed\""))
        #expect(capture.logLines[0].contains("\"error.message\":\"Bearer [redacted] was refused\""))
        #expect(capture.logLines[0].contains("\"url.path\":\"/users/[redacted]\""))
        #expect(capture.logLines[0].contains("\"labels.list\":[\"[redacted]\",\"kept\"]"))
        #expect(capture.logLines[0].contains("\"labels.count\":3"))
        let record = capture.logRecords[0]
        #expect(record.record.message == "mail to [redacted] failed")
        #expect(!record.fields.contains { "\($0.value)".contains("ann@") || "\($0.value)".contains("4111") })
    }

    @Test func spansAreCleanedAsLinesAre() throws {
        let capture = TelemetryCapture()
        let span = capture.telemetry.tracer.startSpan("GET /users/{id}", kind: .server)
        span.set(AttributeKey("url.path"), "/users/ann@shop.example")
        span.set(AttributeKey("url.full"), .string("http://u:p@shop.example/reset?access_token=abc&page=2"))
        span.set(AttributeKey("vitrine.list"), .strings(["4111111111111111", "kept"]))
        span.set(AttributeKey("x-api-key"), "abc")
        span.set(AttributeKey("userPin"), 1234)
        span.set(
            PreparedAttributes(
                [Attribute(AttributeKey("url.query"), "password=hunter2")], for: capture.telemetry.tracer))
        span.addEvent(
            "exception",
            [
                Attribute(AttributeKey("exception.message"), "no mailbox ann@shop.example"),
                Attribute(AttributeKey("exception.list"), .strings(["bearer 0123456789"])),
            ])
        span.addLink(SpanLink(span.context, attributes: [Attribute(AttributeKey("labels.from"), "ann@shop.example")]))
        span.recordError(type: "timeout", description: "mail to ann@shop.example failed")
        span.end()
        let ended = try #require(capture.spans.first)
        #expect(ended.attributes["url.path"] == "/users/[redacted]")
        #expect(
            ended.attributes["url.full"] == "http://[redacted]@shop.example/reset?access_token=[redacted]&page=2")
        #expect(ended.attributes["vitrine.list"] == .strings(["[redacted]", "kept"]))
        #expect(ended.attributes["x-api-key"] == "[redacted]")
        #expect(ended.attributes["userPin"] == "[redacted]")
        #expect(ended.attributes["url.query"] == "password=[redacted]")
        #expect(
            ended.events.first?.attributes.map(\.value) == ["no mailbox [redacted]", .strings(["bearer [redacted]"])])
        #expect(span.links.first?.attributes.map(\.value) == ["[redacted]"])
        #expect(ended.status == .error("mail to [redacted] failed"))
    }

    @Test(arguments: [
        "password", "user.password_hash", "accessToken", "X-API-Key", "http.request.header.x-api-key", "api_key",
        "apikey",
        "privateKey", "private-key", "PRIVATE_KEY", "accessKey", "aws_access_key_id", "AWSAccessKeyId", "session_id",
        "sessionID", "signature", "X-Amz-Signature", "otp", "userOTP", "OTPCode", "csrf", "csrfToken", "X-XSRF",
        "labels.phoneNumber", "labels.cardNumber", "labels.userEmail", "emails", "e-mail", "eMail", "user_email",
        "EMAIL",
        "card", "card_number", "cvv2", "pinCode", "Set-Cookie", "Proxy-Authorization", "clientSecret", "jwt",
        "labels.iban",
    ])
    func sensitiveNamesAreKnown(name: String) {
        #expect(SensitiveNames.matches(name))
        #expect(AttributeKey(name).isSensitive)
    }

    @Test(arguments: [
        "", "a", "idempotency_key", "idempotencyKey", "routing_key", "messaging.rabbitmq.destination.routing_key",
        "messaging.kafka.message.key", "trace_id", "traceID", "trace.id", "span.id", "http.request.id", "code",
        "status_code", "order_number", "orderNumber", "number", "key", "primary_key", "key_id", "api", "api_version",
        "discarded", "cardinal", "author", "authored_by", "spin", "pinned", "company", "expand", "service_mail",
        "template-mail", "hotpath", "session", "session_count", "public_key", "phonetic", "error.type", "url.path",
        "labels.subject", "labels.product_id", "uuid", "sign", "signal", "microphone",
    ])
    func harmlessNamesAreReadable(name: String) { #expect(!SensitiveNames.matches(name)) }

    /// No text takes time that grows with its square, and none makes invalid UTF-8.
    @Test(arguments: [
        "@", "a@", "1", "1 ", "+", "=", "password=", "B", "Bearer ", "eyJ", "é@", "😀", "a.", "://a:",
        "pin:", "pin: ", "\"pin\":\"", "pin:[", "pin:{\"", "%40", "%2B", "bearer ", " :", "pin=\\\"", "key :", "a key:",
        "cookie:",
    ])
    func hostileRepetitionEnds(piece: String) {
        let text = String(repeating: piece, count: 200_000 / piece.utf8.count)
        let start = TelemetryClock.system.monotonicNanoseconds()
        let cleaned = PatternRedaction.redacted(text)
        #expect(cleaned.utf8.count <= max(text.utf8.count, cleaned.utf8.count))
        // Seconds where the square would take minutes.
        #expect(TelemetryClock.system.monotonicNanoseconds() - start < 5_000_000_000)
        #expect(!cleaned.isEmpty)
    }
}
