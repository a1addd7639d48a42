import Telemetry
import TelemetryTesting
import Testing

@testable import TelemetrySDK

/// Which format and encoding a scraper gets (RFC 9110, section 12.5; Prometheus content negotiation).
@Suite struct NegotiationTests {
    private let registry = MetricRegistry()

    static let prometheus3 =
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

    @Test(
        arguments: [
            (nil, "text/plain; version=0.0.4; charset=utf-8"), ("", "text/plain; version=0.0.4; charset=utf-8"),
            ("garbage;;;=,,;q=", "text/plain; version=0.0.4; charset=utf-8"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
            (prometheus3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.1",
                "text/plain; version=0.0.4; charset=utf-8"
            ),
            (
                "text/plain;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5",
                "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
                    + "application/openmetrics-text; version=\"0.0.1\"; q=0.5",
                "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores"
            ),
            ("application/openmetrics-text;q=0,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
            ("application/openmetrics-text;q=nan", "text/plain; version=0.0.4; charset=utf-8"),
        ] as [(String?, String)])
    func formatIsNegotiated(accept: String?, contentType: String) {
        let rendered = MetricsExposition.render(registry, accept: accept, acceptEncoding: nil)
        #expect(rendered.contentType == contentType)
        #expect(rendered.contentEncoding == nil)
    }

    @Test func aRangeThatNamesMoreWinsOverOneThatNamesLess() {
        for (accept, isOpenMetrics) in [
            ("text/*;q=0.9, application/openmetrics-text;q=0.5", false),
            ("*/*, text/plain;q=0", true), ("*/*;q=0.1, application/openmetrics-text", true),
            ("application/*", true), ("application/json", false), ("APPLICATION/OpenMetrics-Text; Version=1.0.0", true),
            ("application/openmetrics-text;note=\"a,b;q=0\";q=0.7,text/plain;q=0.6", true),
            ("application/openmetrics-text; q=0.5; version=0.0.1 , text/plain; q=0.5", true),
            ("text/plain, application/openmetrics-text", false), ("*/*", false), ("text/plain;q=1.5,*/*;q=0.1", true),
            (String(repeating: "text/html,", count: 10_000) + "application/openmetrics-text", false),
        ] {
            let format = ExpositionFormat.negotiate(accept: accept)
            #expect(
                format.contentType.hasPrefix("application/openmetrics-text") == isOpenMetrics, "\(accept.prefix(80))")
        }
    }

    static let family = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily"

    /// What Prometheus 2.42 sends with native histograms on, and what 3 sends.
    @Test(
        arguments: [
            (
                family + ";encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
                    + "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true
            ),
            (
                family + ";encoding=delimited;escaping=allow-utf-8;q=0.7,"
                    + "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                    + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true
            ),
            ("Application/Vnd.Google.Protobuf; Encoding=\"delimited\" ; PROTO=io.prometheus.client.MetricFamily", true),
            (family + ";encoding=delimited;q=0.5,text/plain;version=0.0.4;q=0.9", false),
            (family + ";encoding=delimited;q=0.5,application/openmetrics-text;version=1.0.0;q=0.6", false),
            ("text/plain;version=0.0.4;q=0.5," + family + ";encoding=delimited;q=0.5", false),
            (family + ";encoding=delimited;q=0.5,text/plain;version=0.0.4;q=0.5", true),
            (family + ";encoding=delimited;q=0,*/*;q=0.1", false), (family + ";encoding=text", false),
            (family + ";encoding=compact-text,text/plain;q=0.1", false), (family, false),
            ("application/vnd.google.protobuf;encoding=delimited", false),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.Metric;encoding=delimited", false),
            ("application/vnd.google.protobuf", false), ("application/*", false), ("*/*", false), ("", false),
        ] as [(String, Bool)])
    func protobufIsForWhoNamesItAndPrefersItWhereItIsOffered(accept: String, isProtobuf: Bool) {
        #expect((ExpositionFormat.negotiate(accept: accept, offersProtobuf: true) == .protobuf) == isProtobuf)
        #expect(ExpositionFormat.negotiate(accept: accept) != .protobuf)
        for native in HistogramForms.Native.allCases {
            let registry = MetricRegistry(histograms: HistogramForms(native: native))
            let rendered = MetricsExposition.render(registry, accept: accept, acceptEncoding: nil)
            let type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            #expect((rendered.contentType == type) == (isProtobuf && native != .off))
        }
    }

    /// Mutations of real headers, the same ones in every run (`Tests/Fuzz` goes on from here).
    @Test func mutatedHeadersAreReadInBoundedTimeAndGetAFormat() {
        var state: UInt64 = 7
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let dictionary = [",", ";", "\"", "\\", "=", "q=", "q=0", "q=1e308", "*/*", "text/*", " ", "\t", "\u{0}", "é"]
            .map { Array($0.utf8) }
        for _ in 0..<1_000 {
            var bytes = Array((Self.family + ";encoding=delimited;q=0.7," + Self.prometheus3).utf8)
            for _ in 0...next(6) {
                let place = next(bytes.count + 1)
                switch next(4) {
                case 0: bytes.removeSubrange(place..<min(bytes.count, place + next(20)))
                case 1: bytes.insert(UInt8(next(256)), at: place)
                case 2: bytes += bytes[place...]
                default: bytes.insert(contentsOf: dictionary[next(dictionary.count)], at: place)
                }
            }
            let header = String(decoding: bytes, as: UTF8.self)
            #expect(ExpositionFormat.negotiate(accept: header).contentType.contains("; charset=utf-8"))
            let offered = ExpositionFormat.negotiate(accept: header, offersProtobuf: true)
            #expect(offered == .protobuf || offered == ExpositionFormat.negotiate(accept: header))
            let ranges = MediaRange.parse(header)
            #expect(ranges.count <= 32 && ranges.allSatisfy { (0...1).contains($0.quality) })
            _ = MetricsExposition.acceptsGzip(header)
        }
    }
}
