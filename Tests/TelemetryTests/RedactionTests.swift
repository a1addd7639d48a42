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
    ])
    func secretsAreFound(text: String, expected: String) { #expect(PatternRedaction.redacted(text) == expected) }

    @Test(arguments: [
        "", "@", "a@", "@b", "a@b", "user @ home", "Bearer token is missing", "a Basic mistake", "B", "= = =", "x=1",
        "4111 1111 1111 1112", "1767225600000000000 ns", "order 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "12345678-1234-1234-1234-123456789012", "2026-11-21T08:26:56.123456Z", "1+2=3", "+12 items", "eyJ",
        "the Journal of B+ trees @ 10.0.0.1:5432", "page=2&size=50", "GET /order-api/orders/ 200", "v4.111111111111111",
    ])
    func harmlessTextStays(text: String) { #expect(PatternRedaction.redacted(text) == text) }

    @Test func secretIsFoundAtEveryPlaceAndLength() {
        for before in 0..<20 {
            for after in 0..<20 {
                for secret in [
                    "ann@shop.example", "4111111111111111", "+421905123456", "Bearer 0123456789", Self.token,
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

    /// No text takes time that grows with its square, and none makes invalid UTF-8.
    @Test(arguments: ["@", "a@", "1", "1 ", "+", "=", "password=", "B", "Bearer ", "eyJ", "é@", "😀", "a.", "://a:"])
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
