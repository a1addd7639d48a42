import FoundationEssentials
import Glibc
import HTTP
import HTTPCodec
import LocalStack
import ServiceKit
import Telemetry
import TelemetryTesting
import Testing

/// A real Prometheus scrapes a real service: every series arrives, hostile label values too, and the exemplar of a
/// request leads back to its trace.
@Suite struct PrometheusScrapeTests {
    private static let hostile = "a\"} 1\nevil_total{page=\"b\\ é漢 # EOF\n"
    private static let visits = Counter("visits_total", help: "Visits \\ \"of\"\n pages.", labels: ["page"])

    private struct Reply<Item: Decodable>: Decodable {
        let data: [Item]
    }
    private struct Exemplars: Decodable {
        struct Exemplar: Decodable {
            let labels: [String: String]
            let value: String
        }
        let seriesLabels: [String: String]
        let exemplars: [Exemplar]
    }
    private struct Vector: Decodable {
        struct Sample: Decodable {
            let metric: [String: String]
            let value: Value
        }
        /// A time and a number, as text.
        struct Value: Decodable {
            let number: Double
            init(from decoder: any Decoder) throws {
                var pair = try decoder.unkeyedContainer()
                _ = try pair.decode(Double.self)
                number = Double(try pair.decode(String.self)) ?? .nan
            }
        }
        struct Result: Decodable { let result: [Sample] }
        let data: Result
    }

    /// Asks the API of Prometheus.
    private struct API {
        let url: String
        let client: HTTPClient

        func get<T: Decodable>(_ type: T.Type, _ path: String, _ parameters: [String: String]) async throws -> T {
            let query = parameters.map { "\($0)=\(Self.escaped($1))" }.joined(separator: "&")
            let response = try await client.send(HTTPRequest(method: .get, target: "\(path)?\(query)"), to: url)
            let bytes = try await response.body.collect(upTo: 4 * 1024 * 1024)
            return try JSONDecoder().decode(type, from: Data(bytes))
        }

        /// Its port is open before its API answers.
        func isReady() async throws -> Bool {
            let response = try await client.send(HTTPRequest(method: .get, target: "/-/ready"), to: url)
            _ = try await response.body.collect(upTo: 64 * 1024)
            return response.status == .ok
        }

        func query(_ text: String) async throws -> [Vector.Sample] {
            try await get(Vector.self, "/api/v1/query", ["query": text]).data.result
        }

        func exemplars(of route: String) async throws -> [Exemplars] {
            try await exemplars(#"http_request_duration_seconds_bucket{route="\#(route)"}"#)
        }

        func exemplars(_ query: String) async throws -> [Exemplars] {
            try await get(
                Reply<Exemplars>.self, "/api/v1/query_exemplars",
                ["query": query, "start": "0", "end": "\(TestService.now + 60)"]
            ).data
        }

        private static func escaped(_ text: String) -> String {
            text.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    String(UnicodeScalar(byte))
                default: (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
                }
            }.joined()
        }
    }

    @Test func prometheusStoresEverySeriesAndFindsTheTraceOfARequest() async throws {
        try await TestService.run(build: { app in
            app.telemetry.metrics.counter(Self.visits).series(Self.hostile).add(7)
            app.routes("") { routes in routes.get("/hello", .open) { _ in .json(bytes: Array("{}".utf8)) } }
        }) { (service: TestService) async throws in
            #expect(try await service.get("/hello").status == 200)
            let span = try #require(service.capture.spans(named: "GET /hello").first)
            let folder = "/tmp/vitrine-prometheus-\(ProcessInfo.processInfo.processIdentifier)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let prometheus = try PrometheusServer(
                folder: folder, port: try Ports.free(),
                targets: [("shopfront", String(service.url.dropFirst("http://".count)))], alertmanager: nil,
                scrapeIntervalSeconds: 1)
            defer { prometheus.stop() }
            let api = API(url: prometheus.url, client: service.client)

            #expect(try await eventually(seconds: 60) { try await api.isReady() })
            #expect(try await eventually(seconds: 60) { try await api.query("up").first?.value.number == 1 })
            // What one scrape brought is not visible all at once.
            #expect(try await eventually { try await !api.query("visits_total").isEmpty })
            let visits = try await api.query("visits_total")
            #expect(visits.map { $0.metric["page"] } == [Self.hostile])
            #expect(visits.map(\.value.number) == [7])
            #expect(try await api.query("evil_total").isEmpty)

            // The trace, found by the exemplar of its request's bucket.
            #expect(try await eventually { try await !api.exemplars(of: "/hello").isEmpty })
            let found = try await api.exemplars(of: "/hello")
            let exemplars = found.flatMap(\.exemplars)
            #expect(exemplars.map { $0.labels["trace_id"] } == [span.context.traceID.description])
            #expect(exemplars.map { $0.labels["span_id"] } == [span.context.spanID.description])
            #expect(found.first?.seriesLabels["route"] == "/hello")

            // As many samples as the service says that it has shown: none was dropped, none was there twice.
            #expect(
                try await eventually {
                    let samples = try await api.query("scrape_samples_scraped == on() telemetry_series")
                    return (samples.first?.value.number ?? 0) > 100
                })
        }
    }

    // MARK: Native histograms

    private static let took = Histogram(
        "took_seconds", unit: .seconds, help: "Duration.", labels: ["route"], initial: [["/idle"]])

    /// From 1 ms to 10 s, even in their logarithms.
    private static let values: [Double] = (0..<1_000).map { 0.001 * pow(10, Double($0) * 4 / 999) }

    /// Prometheus as Debian has it, with its native histograms on: what it stores of ours is what was observed.
    @Test(arguments: [HistogramForms.Native.together, .apart])
    func prometheusStoresNativeHistograms(native: HistogramForms.Native) async throws {
        let context = SpanContext(traceID: TraceID(high: 5, low: 6), spanID: SpanID(7), isSampled: true)
        try await TestService.run(
            histograms: HistogramForms(native: native),
            build: { app in
                app.telemetry.metrics.counter(Self.visits).series(Self.hostile).add(7)
                _ = app.telemetry.metrics.histogram(Self.took)
            }
        ) { (service: TestService) async throws in
            let took = service.capture.telemetry.metrics.histogram(Self.took).series("/a")
            for value in Self.values { took.record(value, exemplar: context) }
            took.record(0)
            let folder = "/tmp/vitrine-native-\(native.rawValue)-\(ProcessInfo.processInfo.processIdentifier)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let prometheus = try PrometheusServer(
                folder: folder, port: try Ports.free(),
                targets: [("shopfront", String(service.url.dropFirst("http://".count)))], alertmanager: nil,
                scrapeIntervalSeconds: 1, arguments: ["--enable-feature=native-histograms"])
            defer { prometheus.stop() }
            let api = API(url: prometheus.url, client: service.client)
            func number(_ query: String) async throws -> Double? { try await api.query(query).first?.value.number }

            #expect(try await eventually(seconds: 60) { try await api.isReady() })
            #expect(
                try await eventually(seconds: 60) {
                    try await number(#"histogram_count(took_seconds{route="/a"})"#) == 1_001
                })
            #expect(try await number(#"histogram_count(took_seconds{route="/idle"})"#) == 0)
            let sum = try await number(#"histogram_sum(took_seconds{route="/a"})"#)
            #expect(abs((sum ?? 0) - Self.values.reduce(0, +)) < 1e-6)
            // Of 1,001 values, one of them zero: within a bucket, which is 9 % wide at scale 3.
            for (quantile, index) in [(0.1, 99), (0.5, 499), (0.9, 899), (0.99, 989)] {
                let found = try await number(#"histogram_quantile(\#(quantile), took_seconds{route="/a"})"#) ?? 0
                #expect(abs(found / Self.values[index] - 1) < 0.1, "\(quantile): \(found)")
            }
            let visits = try await api.query("visits_total")
            #expect(visits.map { $0.metric["page"] } == [Self.hostile] && visits.map(\.value.number) == [7])

            // More of the same: what it makes of two scrapes.
            for value in Self.values { took.record(value) }
            #expect(
                try await eventually(seconds: 60) {
                    let found = try await number(
                        #"histogram_quantile(0.99, sum(rate(took_seconds{route="/a"}[1m])))"#)
                    return abs((found ?? 0) / Self.values[989] - 1) < 0.1
                })
            #expect(try await eventually { try await number("up") == 1 })
            guard native == .apart else {
                // Of a family with both forms it keeps one only: that is why they can be apart.
                #expect(try await api.query("took_seconds_bucket").isEmpty)
                let exemplars = try await api.exemplars(#"took_seconds{route="/a"}"#).flatMap(\.exemplars)
                #expect(exemplars.contains { $0.labels["trace_id"] == context.traceID.description })
                return
            }
            // The classic form is there as ever, by the same names.
            let cumulative = #"took_seconds_bucket{route="/a",le="1.0"}"#
            let below = Double(2 * Self.values.count { $0 <= 1 } + 1)
            #expect(try await eventually { try await number(cumulative) == below })
            #expect(try await number(#"took_seconds_bucket{route="/a",le="+Inf"}"#) == 2_001)
            #expect(try await number(#"took_seconds_count{route="/a"}"#) == 2_001)
            #expect(try await number(#"took_seconds_bucket{route="/idle",le="+Inf"}"#) == 0)
            let classic = try await api.exemplars(#"took_seconds_bucket{route="/a"}"#).flatMap(\.exemplars)
            #expect(classic.contains { $0.labels["trace_id"] == context.traceID.description })
            #expect(
                try await eventually {
                    let samples = try await api.query("scrape_samples_scraped == on() telemetry_series")
                    return (samples.first?.value.number ?? 0) > 100
                })
        }
    }
}
