import Glibc
import Telemetry
import TelemetryTesting
import Testing

/// Lines read by a JSON parser that is not ours, and held against the field list of ECS: names and types.
@Suite struct ECSTests {
    static let event = LogEvent("order.placed", help: "An order was placed.")

    /// Text that breaks what is not careful: quotes, controls, separators, overrides, invalid where it could be made so.
    static let hostile: [String] = [
        "", "\"", "\\", "\\\"}{", "\n", "\r\n{\"log.level\":\"error\"}\n", "\u{0}", "\u{1B}[2J\u{1B}]0;x\u{7}",
        "\t\u{8}\u{C}",
        "\u{7F}\u{80}\u{85}\u{9F}", "\u{2028}\u{2029}", "\u{202E}gnp.exe", "\u{FEFF}", "\u{FFFD}\u{FFFF}", "é漢😀👩‍👩‍👧",
        "</script>", "'; drop table users; --", "%s%n${jndi:ldap://x}", String(repeating: "a", count: 70_000),
        String(repeating: "😀", count: 20_000), String(repeating: "\u{1}", count: 20_000),
        String(decoding: [0xFF, 0xFE, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0x61] as [UInt8], as: UTF8.self),
    ]

    private static let program = """
        import sys, json, re
        # Of the ECS field reference: what a field holds.
        types = {
            "@timestamp": "date", "log.level": str, "message": str, "ecs.version": str, "service.name": str,
            "event.dataset": str, "log.logger": str, "process.pid": int, "event.action": str, "trace.id": str,
            "span.id": str, "http.request.id": str, "http.request.method": str, "http.response.status_code": int,
            "http.response.body.bytes": int, "url.path": str, "event.duration": int, "client.address": str,
            "user.id": str, "error.type": str, "error.message": str, "tags": list,
        }
        first = ["@timestamp", "log.level", "message", "ecs.version"]
        data = sys.stdin.buffer.read()
        assert data.endswith(b"\\n") or not data, "the last line has no end"
        lines = data.split(b"\\n")[:-1]
        for raw in lines:
            text = raw.decode("utf-8", errors="strict")
            assert not re.search("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ufeff]", text), ascii(text)
            assert len(raw) < 1 << 20, len(raw)
            pairs = json.loads(text, object_pairs_hook=list)
            names = [name for name, _ in pairs]
            assert len(names) == len(set(names)), names
            assert names[:4] == first, names[:4]
            for name, value in pairs:
                if name.startswith("labels."):
                    assert not re.search(r"[.*\\\\]", name[7:]), name
                    assert isinstance(value, (str, int, float, bool)) or isinstance(value, list), name
                    continue
                kind = types[name]
                if kind == "date":
                    assert re.fullmatch(r"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z", value), value
                else:
                    assert type(value) is kind, (name, value)
            object = dict(pairs)
            assert object["log.level"] in ("debug", "info", "warn", "error"), object["log.level"]
            if "trace.id" in object:
                assert re.fullmatch("[0-9a-f]{32}", object["trace.id"]) and re.fullmatch("[0-9a-f]{16}", object["span.id"])
        print(len(lines))
        """

    private func judge(_ lines: [String]) throws {
        let input = lines.map { $0 + "\n" }.joined()
        let verdict = try ChildProcess.python(Self.program, input: Array(input.utf8))
        #expect(verdict.status == 0, "\(verdict.errors)")
        #expect(verdict.output == "\(lines.count)\n")
    }

    @Test func everyHostileTextInEveryPlaceIsOneValidLine() throws {
        var lines: [String] = []
        for text in Self.hostile {
            let capture = TelemetryCapture(serviceName: text)
            let span = SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), isSampled: true)
            let context = TelemetryContext(span: span, requestID: text)
            TelemetryContext.$current.withValue(context) {
                capture.telemetry.logger.named(text).log(
                    LogEvent(text, help: "Hostile."), text,
                    [
                        Attribute(AttributeKey("error.message"), .string(text)),
                        Attribute(AttributeKey("labels." + text), .string(text)),
                        Attribute(AttributeKey("labels.list"), .strings([text, text])),
                        Attribute(AttributeKey("labels.not_a_number"), .double(.nan)),
                        Attribute(AttributeKey("http.response.status_code"), 200),
                        Attribute(AttributeKey("url.path"), .string(text)),
                    ])
            }
            lines += capture.logLines
        }
        #expect(lines.count == Self.hostile.count)
        try judge(lines)
    }

    @Test func levelsFieldsAndNumbersHaveTheTypesOfTheSchema() throws {
        let capture = TelemetryCapture(serviceName: "orders")
        for level in [LogLevel.debug, .info, .warn, .error] {
            capture.telemetry.logger.log(
                LogEvent("e", level: level, help: "x"), "m",
                [
                    Attribute(AttributeKey("http.request.method"), "GET"), Attribute(AttributeKey("user.id"), "u"),
                    Attribute(AttributeKey("event.duration"), .int(.max)), Attribute(AttributeKey("tags"), "mine"),
                    Attribute(AttributeKey("labels.a.b*c\\d"), .double(1e300)), Attribute(AttributeKey(""), "nameless"),
                    Attribute(AttributeKey("labels.min"), .int(.min)), Attribute(AttributeKey("process.pid"), "mine"),
                ])
        }
        try judge(capture.logLines)
    }

    @Test func randomBytesInEveryPlaceAreValidLines() throws {
        let capture = TelemetryCapture(serviceName: "orders")
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0..<60)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let text = String(decoding: bytes, as: UTF8.self)
            capture.telemetry.logger.log(
                Self.event, text,
                [
                    Attribute(AttributeKey("labels.x" + text), .string(text)),
                    Attribute(AttributeKey("url.path"), .string(text)),
                ])
        }
        #expect(capture.logLines.count == 2_000)
        try judge(capture.logLines)
    }

    @Test func multiLineErrorIsOneLine() throws {
        let capture = TelemetryCapture(serviceName: "orders")
        struct Multi: Error, CustomStringConvertible { let description = "first\n  second\r\n\tthird" }
        capture.telemetry.logger.log(
            Self.event, "failed: \(Multi())", [Attribute(AttributeKey("error.message"), .string("\(Multi())"))])
        try judge(capture.logLines)
        #expect(capture.logLines[0].contains(#"first\n  second\r\n\tthird"#))
    }
}
