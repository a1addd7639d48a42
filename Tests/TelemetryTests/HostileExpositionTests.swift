import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

/// Whatever stands in label values and help texts, parsers that we did not write read the same back.
@Suite struct HostileExpositionTests {
    /// Characters that some parser, somewhere, takes for more than themselves.
    private static let alphabet: [Unicode.Scalar] = [
        "\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{1}", "\u{B}", "\u{C}", "\u{1B}", "\u{7F}", "\u{85}", "\u{A0}",
        "\u{2028}", "\u{2029}", "\u{200F}", "\u{FEFF}", "\u{FFFD}", "\u{10FFFF}", "\u{301}", "é", "漢", "🛒", "{", "}",
        ",", "=", "#", " ", "a", "1", "n", "e", "+", ":", "_", "%",
    ]
    private static let known = [
        "", " ", "\\", "\\\\", "\\n", "\\\n", "\"", "\\\"", "\n", "\n\n# EOF\n", "# EOF", "\n# TYPE x counter\nx 1\n",
        "a\"} 1\nevil_total{page=\"b", "{}", "le=\"+Inf\"", " # {trace_id=\"0\"} 1", "NaN", "\u{0}",
    ]

    /// The same strings in every run.
    private static func strings(_ count: Int) -> [String] {
        var state: UInt64 = 20_261_121
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var result = known
        while result.count < count {
            var text = String.UnicodeScalarView()
            for _ in 0..<next(12) { text.append(alphabet[next(alphabet.count)]) }
            let value = String(text)
            // Told apart by bytes, here too.
            if !result.contains(where: { $0.utf8.elementsEqual(value.utf8) }) { result.append(value) }
        }
        return result
    }

    private static let expected = strings(400)
    /// A program gets them as hexadecimal: an argument cannot hold a NUL.
    private static let arguments = expected.map { text in
        text.utf8.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    }

    private let capture = TelemetryCapture()

    init() {
        let metrics = capture.telemetry.metrics
        let family = metrics.counter(Counter("visits_total", help: "Visits.", labels: ["page", "other"]))
        let span = capture.telemetry.tracer.startSpan("visit")
        let durations = metrics.histogram(
            Histogram("visit_seconds", unit: .seconds, help: "Visits.", labels: ["page"], buckets: [1]))
        for (index, text) in Self.expected.enumerated() {
            family.series(text, text).increment(exemplar: span.context)
            durations.series(text).record(2, exemplar: span.context)
            metrics.gauge(Gauge("help_\(index)", help: "x" + text + "x")).series().set(Double(index))
        }
        metrics.observe(Gauge("observed", help: "Observed.", labels: ["page"]), labels: [Self.known[6]]) { 1 }
        metrics.info(Info("shop_info", help: "Shop.", labels: ["page"]), Self.known[6])
    }

    private func judge(_ module: String, _ format: ExpositionFormat, info family: String, _ checks: String)
        throws
    {
        let program = """
            import io, sys
            from prometheus_client.\(module) import text_fd_to_metric_families
            text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="\\n")
            families = {f.name: f for f in text_fd_to_metric_families(text)}
            expected = [bytes.fromhex(a).decode() for a in sys.argv[1:]]
            visits = families["visits"].samples
            assert sorted(s.labels["page"] for s in visits) == sorted(expected), "label values differ"
            assert all(s.labels["page"] == s.labels["other"] and s.value == 1 for s in visits)
            counts = [s for s in families["visit_seconds"].samples if s.name == "visit_seconds_count"]
            assert sorted(s.labels["page"] for s in counts) == sorted(expected)
            others = {n for n in families if not n.startswith(("help_", "telemetry_", "otel_"))}
            assert others == {"visits", "visit_seconds", "observed", "\(family)"}, others
            assert len([n for n in families if n.startswith("help_")]) == len(expected)
            \(checks)
            print("ok")
            """
        let body = MetricsExposition.render(capture.telemetry.metrics, format: format)
        let result = try ChildProcess.python(program, Self.arguments, input: body)
        #expect(result.output == "ok\n", "\(result.errors.suffix(2_000))")
    }

    @Test func hostileTextSurvivesThePrometheusFormat() throws {
        // Of this format, the parser takes an escaped quote in a help text for two characters, and trims lines.
        try judge("parser", .fallback, info: "shop_info", "")
    }

    @Test func hostileTextSurvivesOpenMetrics() throws {
        try judge(
            "openmetrics.parser", .openMetrics(version: "1.0.0"), info: "shop",
            """
            for i, text in enumerate(expected):
                assert families[f"help_{i}"].documentation == "x" + text + "x", (i, text)
            for s in visits:
                labels = s.exemplar.labels
                assert len(labels["trace_id"]) == 32 and len(labels["span_id"]) == 16 and s.exemplar.value == 1
                assert sum(len(k) + len(v) for k, v in labels.items()) <= 128
            """)
    }

    @Test func promtoolReadsHostileText() throws {
        let body = MetricsExposition.render(capture.telemetry.metrics, format: .fallback)
        let result = try ChildProcess.run("promtool", ["check", "metrics"], input: body)
        // promtool's linter has opinions about our made-up names; a text that it cannot parse is an error.
        #expect(!result.errors.contains("error while"), "\(result.errors.suffix(500))")
        #expect(result.status == 0 || result.status == 3, "\(result.errors.suffix(500))")
    }
}
