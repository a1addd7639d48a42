import FoundationEssentials
import Glibc
import Telemetry
import TelemetryTesting
import Testing

@Suite struct LoggingTests {
    static let placed = LogEvent("order.placed", help: "An order was placed.")
    static let detail = LogEvent("order.detail", level: .debug, help: "Details.")
    private let capture = TelemetryCapture(serviceName: "orders", clock: ManualClock())
    private var logger: Logger { capture.telemetry.logger }

    /// The keys of a line in their order, with the values as a real JSON parser reads them.
    private func parse(_ line: String) throws -> [(key: String, value: String)] {
        let program = """
            import sys, json
            pairs = json.loads(sys.stdin.buffer.read().decode("utf-8"), object_pairs_hook=list)
            for key, value in pairs:
                text = value if isinstance(value, str) else json.dumps(value)
                print(json.dumps(key), json.dumps(text), sep="\\t")
            """
        let result = try ChildProcess.python(program, input: Array(line.utf8))
        #expect(result.status == 0, "\(result.errors)")
        return try result.output.split(separator: "\n").map { row in
            let parts = row.split(separator: "\t")
            let decode = { (text: Substring) in try JSONDecoder().decode(String.self, from: Data(text.utf8)) }
            return (try decode(parts[0]), try decode(parts[1]))
        }
    }

    @Test func keysAreInOrderAndTheContextIsNamed() async throws {
        let context = TelemetryContext(requestID: "id-1")
        await capture.telemetry.tracer.withSpan("work", parent: context) { _ in
            logger.named("http").log(
                Self.placed, "order placed",
                [Attribute(AttributeKey("labels.total"), 12.5), Attribute(.serverPort, 80)])
        }
        let span = capture.spans[0].context
        let fields = try parse(capture.logLines[0])
        #expect(
            fields.map(\.key) == [
                "@timestamp", "log.level", "message", "ecs.version", "service.name", "event.dataset", "log.logger",
                "process.pid", "event.action", "trace.id", "span.id", "http.request.id", "labels.total", "server.port",
            ])
        let values = Dictionary(uniqueKeysWithValues: fields)
        #expect(values["@timestamp"] == "2026-01-01T00:00:00.000000Z")
        #expect(values["log.level"] == "info")
        #expect(values["message"] == "order placed")
        #expect(values["service.name"] == "orders")
        #expect(values["log.logger"] == "http")
        #expect(values["event.action"] == "order.placed")
        #expect(values["event.dataset"] == "orders.log")
        #expect(values["trace.id"] == span.traceID.description)
        #expect(values["span.id"] == span.spanID.description)
        #expect(values["http.request.id"] == "id-1")
        #expect(values["labels.total"] == "12.5")
        #expect(values["server.port"] == "80")
    }

    @Test func hostileTextStaysOneLineAndReadsBack() throws {
        let hostile = "\u{0}\u{1B}[2J\r\n\"\\/\t\u{7F}\u{85}\u{9B}\u{2028}\u{2029}\u{202E}\u{2066}\u{FEFF}é漢😀</script>"
        logger.log(
            Self.placed, hostile,
            [
                Attribute(AttributeKey("labels.text"), .string(hostile)),
                Attribute(AttributeKey("labels.list"), .strings([hostile, "b"])),
                Attribute(AttributeKey("bad\"key\n"), "x"), Attribute(AttributeKey("labels.nan"), .double(.nan)),
                Attribute(AttributeKey("labels.inf"), .double(-.infinity)),
                Attribute(AttributeKey("labels.min"), .int(.min)), Attribute(AttributeKey("labels.flag"), true),
            ])
        let line = capture.logLines[0]
        for scalar in line.unicodeScalars {
            #expect(scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value))
            #expect(![0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF].contains(scalar.value))
        }
        let values = Dictionary(uniqueKeysWithValues: try parse(line))
        #expect(values["message"] == hostile)
        #expect(values["labels.text"] == hostile)
        #expect(values["bad\"key\n"] == "x")
        #expect(values["labels.nan"] == "NaN")
        #expect(values["labels.inf"] == "-Inf")
        #expect(values["labels.min"] == "-9223372036854775808")
        #expect(values["labels.flag"] == "true")
    }

    @Test func everyScalarOfTheBasicPlaneReadsBack() throws {
        var text = String.UnicodeScalarView()
        for value in 0...0xFFFF as ClosedRange<UInt32> { if let scalar = Unicode.Scalar(value) { text.append(scalar) } }
        for chunk in stride(from: 0, to: text.count, by: 4_000) {
            let start = text.index(text.startIndex, offsetBy: chunk)
            let end = text.index(start, offsetBy: 4_000, limitedBy: text.endIndex) ?? text.endIndex
            let message = String(text[start..<end])
            capture.removeAll()
            logger.log(Self.placed, message)
            let object = try JSONSerializer.object(capture.logLines[0])
            #expect(object.message.unicodeScalars.elementsEqual(message.unicodeScalars))
        }
    }

    private struct JSONSerializer: Decodable {
        let message: String
        static func object(_ line: String) throws -> JSONSerializer {
            try JSONDecoder().decode(JSONSerializer.self, from: Data(line.utf8))
        }
    }

    @Test func secretsAreRedactedByTheirNames() {
        for name in [
            "password", "user.password_hash", "labels.accessToken", "http.request.headers.authorization", "Set-Cookie",
            "labels.api_key", "payment.card", "card_number", "user.email", "labels.client_secret", "pin",
        ] {
            capture.removeAll()
            logger.log(Self.placed, "x", [Attribute(AttributeKey(name), "s3cr3t")])
            #expect(!capture.logLines[0].contains("s3cr3t"), "\(name)")
            #expect(capture.logLines[0].contains("[redacted]"), "\(name)")
        }
        capture.removeAll()
        logger.log(
            Self.placed, "x",
            [Attribute(AttributeKey("labels.discarded"), "kept"), Attribute(AttributeKey("labels.opinion"), "kept")])
        #expect(!capture.logLines[0].contains("[redacted]"))
    }

    @Test func sensitiveValueHasNoTextForm() {
        let secret = Sensitive("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        let forms = [
            String(describing: secret), String(reflecting: secret), "\([secret])", "\(Optional(secret) as Any)", dumped,
        ]
        for form in forms { #expect(!form.contains("hunter2")) }
        #expect(String(describing: secret) == "[redacted]")
        logger.log(Self.placed, "x", [Attribute(AttributeKey("labels.answer"), secret)])
        #expect(capture.logLines[0].contains("\"labels.answer\":\"[redacted]\""))
        #expect(secret.exposed == "hunter2")
    }

    @Test func interpolatingASensitiveValueDoesNotCompile() throws {
        let source = ChildProcess.packageRoot + "/Sources/Telemetry/Telemetry/Logging/Sensitive.swift"
        let compile = { (line: String) in
            let snippet = "\(P_tmpdir)/vitrine-snippet-\(getpid()).swift"
            let file = try #require(fopen(snippet, "w"))
            defer { unlink(snippet) }
            fputs("func text(_ secret: Sensitive<String>) -> String { \(line) }\n", file)
            fclose(file)
            return try ChildProcess.run(
                "swiftc",
                ["-typecheck", "-swift-version", "6", "-warnings-as-errors", "-package-name", "p", source, snippet])
        }
        let refused = try compile(#""the secret is \(secret)""#)
        #expect(refused.status != 0)
        #expect(refused.errors.contains("no place in a text"), "\(refused.errors)")
        let accepted = try compile(#""of \(secret.exposed.count) characters""#)
        #expect(accepted.status == 0, "\(accepted.errors)")
    }

    @Test func levelFiltersAndChangesAtRunTime() {
        capture.telemetry.logger.level.level = .warn
        logger.log(Self.placed, "hidden")
        #expect(capture.logLines.isEmpty)
        capture.telemetry.logger.level.level = .debug
        logger.named("x").log(Self.detail, "shown")
        #expect(capture.logLines.count == 1)
        #expect(capture.value(#"telemetry_log_lines_total{level="debug"}"#) == 1)
        #expect(capture.value(#"telemetry_log_lines_total{level="info"}"#) == 0)
    }

    @Test func reservedAndRepeatedKeysCannotBreakTheLine() throws {
        logger.log(
            Self.placed, "mine",
            [
                Attribute(AttributeKey("message"), "theirs"), Attribute(AttributeKey("@timestamp"), "never"),
                Attribute(AttributeKey("labels.a.b"), "x"), Attribute(AttributeKey("twice"), 1),
                Attribute(AttributeKey("twice"), 2), Attribute(AttributeKey("http.request.id"), "given"),
                Attribute(AttributeKey("labels.a*b"), "y"), Attribute(AttributeKey("labels.c.d"), "flattened"),
                Attribute(AttributeKey("labels.c_d"), "flat"), Attribute(AttributeKey("tags"), "mine"),
            ])
        let fields = try parse(capture.logLines[0])
        #expect(Set(fields.map(\.key)).count == fields.count)
        let values = Dictionary(uniqueKeysWithValues: fields)
        #expect(values["message"] == "mine")
        #expect(values["labels.message"] == "theirs")
        #expect(values["labels.@timestamp"] == "never")
        #expect(values["labels.a_b"] == "x")
        #expect(values["labels.c_d"] == "flat")
        #expect(values["labels.tags"] == "mine")
        #expect(values["twice"] == "1")
        #expect(values["http.request.id"] == "given")
    }

    @Test func longTextIsCutAtACharacter() throws {
        logger.log(Self.placed, String(repeating: "é", count: 100_000))
        let object = try JSONSerializer.object(capture.logLines[0])
        #expect(object.message.hasSuffix("é…"))
        #expect(object.message.utf8.count <= 16 * 1024 + 3)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (951_782_399_999_999_999, "2000-02-28T23:59:59.999999Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_709_164_800_123_456_789, "2024-02-29T00:00:00.123456Z"),
            (4_102_444_799_000_000_000, "2099-12-31T23:59:59.000000Z"),
        ] as [(UInt64, String)])
    func timestampsAreISO8601(wall: UInt64, expected: String) {
        let capture = TelemetryCapture(clock: ManualClock(wallNanoseconds: wall))
        capture.telemetry.logger.log(Self.placed, "x")
        #expect(capture.logLines[0].hasPrefix("{\"@timestamp\":\"\(expected)\""))
    }
}
