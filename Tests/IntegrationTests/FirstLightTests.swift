import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import Synchronization
import Testing
import Wiring

/// One order through the real platform, seen in all three signals by judges that are not ours.
@Suite(.serialized) struct FirstLightTests {
    /// A span as `opentelemetry-proto` decoded it.
    private struct Span: Decodable {
        let service: String
        let name: String
        /// OTLP numbering: 2 server, 3 client, 4 producer, 5 consumer.
        let kind: Int
        let trace: String
        let span: String
        let parent: String
        let links: [String]
    }

    private struct Line: Decodable {
        let service: String
        let trace: String?
        let request: String?

        private enum CodingKeys: String, CodingKey {
            case service = "service.name"
            case trace = "trace.id"
            case request = "http.request.id"
        }
    }

    @Test(.timeLimit(.minutes(4)))
    func aCheckoutIsOneTraceFromTheGatewayToTheLastService() async throws {
        try await withFolder { folder in
            let group = EventLoopGroup(count: 1)
            let bodies = Mutex<Int>(0)
            _ = try Command.run(["mkdir", "-p", folder + "/otlp"])
            let collector = HTTPServer(configuration: Self.collectorConfiguration, group: group) { request in
                let bytes = try await request.body.collect(upTo: 16 * 1024 * 1024)
                let number = bodies.withLock { number in
                    number += 1
                    return number
                }
                let suffix = request.headers["content-encoding"] == "gzip" ? "pb.gz" : "pb"
                try Data(bytes).write(to: URL(filePath: "\(folder)/otlp/\(number).\(suffix)"))
                var response = HTTPResponse()
                response.headers.add("content-type", "application/x-protobuf")
                return response
            }
            try await collector.start()

            let platform = try ChildProcess(
                name: "vitrine up", [Package.executable, "up", "--folder", folder + "/run", "--free-ports"],
                environment: [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(collector.port)",
                    "OTEL_BSP_SCHEDULE_DELAY": "200",
                    "USERS_BCRYPT_COST": "4",
                ], folder: folder, logPath: folder + "/up.log")
            _ = try await eventually("the table of URLs") {
                try Command.run(["grep", "-q", "ready after", folder + "/up.log"]).status == 0 ? true : nil
            }
            let demo = try Command.run([Package.executable, "demo", "--folder", folder + "/run"])
            #expect(demo.status == 0, "\(demo.output)")
            #expect(demo.output.contains("Everything is as it should be."))
            let checkout = try #require(demo.output.split(separator: "\n").first { $0.contains("checks out") })
            let trace = String(try #require(checkout.split(separator: " ").last))

            try await checkTrace(trace, folder)
            try await checkLogs(trace, folder)
            try await checkMetrics(folder, group)

            platform.stop(timeoutMilliseconds: 40_000)
            #expect(try Command.run(["grep", "-q", "stopped;", folder + "/up.log"]).status == 0)
            await collector.drain(timeoutSeconds: 1)
            group.shutdown()
        }
    }

    private static var collectorConfiguration: HTTPServer.Configuration {
        var configuration = HTTPServer.Configuration()
        configuration.maxBodyBytes = 16 * 1024 * 1024
        return configuration
    }

    private func checkTrace(_ trace: String, _ folder: String) async throws {
        let script = Package.root + "/Tests/IntegrationTests/decode_spans.py"
        let spans = try await eventually(seconds: 90, "the spans of the checkout") { () -> [Span]? in
            let decoded = try Command.run([Package.python, script, folder + "/otlp", trace])
            let spans = try decoded.output.split(separator: "\n").map {
                try JSONDecoder().decode(Span.self, from: Data($0.utf8))
            }
            // The last that an order does is to be delivered.
            let services = Set(spans.map(\.service))
            let isWhole = ["gateway", "cart", "orders", "warehouse", "payments", "processor"].allSatisfy(
                services.contains)
            let isFollowed = spans.contains { $0.service == "orders" && $0.name.hasPrefix("process ") }
            return isWhole && isFollowed ? spans : nil
        }
        let ids = Set(spans.map(\.span))
        let roots = spans.filter { $0.parent.isEmpty }
        #expect(roots.map(\.service) == ["gateway"])
        #expect(roots.allSatisfy { $0.kind == 2 })
        // Nothing hangs in the air.
        let orphans = spans.filter { !$0.parent.isEmpty && !ids.contains($0.parent) }
        #expect(orphans.isEmpty, "\(orphans.map(\.name))")
        // Servers below a client, consumers linked to the producer that sent their message.
        let byID = Dictionary(spans.map { ($0.span, $0) }) { first, _ in first }
        for span in spans where span.kind == 2 && !span.parent.isEmpty { #expect(byID[span.parent]?.kind == 3) }
        let consumers = spans.filter { $0.kind == 5 }
        #expect(Set(consumers.map(\.service)).isSuperset(of: ["warehouse", "payments", "processor", "orders"]))
        for span in consumers {
            #expect(span.links == [span.parent])
            #expect(byID[span.parent]?.kind == 4)
        }
    }

    private func checkLogs(_ trace: String, _ folder: String) async throws {
        let log = folder + "/run/logs/vitrine.log"
        let lines = try Command.run(["grep", trace, log]).output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        let request = try #require(lines.compactMap(\.request).first)
        #expect(lines.allSatisfy { $0.trace == trace && $0.request == request })
        #expect(
            Set(lines.map(\.service)).isSuperset(of: [
                "gateway", "cart", "orders", "warehouse", "payments", "processor",
            ]))
        // And no line of the request belongs to another trace.
        let same = try Command.run(["grep", request, log]).output.split(separator: "\n")
        #expect(same.count == lines.count)
    }

    private func checkMetrics(_ folder: String, _ group: EventLoopGroup) async throws {
        let prometheus = try #require(LocalFolder.endpoints(in: folder + "/run")["PROMETHEUS_URL"])
        let http = HTTPClient(group: group, telemetry: nil)
        let caller = Caller(url: prometheus, http: http)
        struct Answer: Decodable {
            struct Data: Decodable {
                struct Series: Decodable { let value: [Value] }
                let result: [Series]
            }
            enum Value: Decodable {
                case number(Double)
                case text(String)
                init(from decoder: any Decoder) throws {
                    let container = try decoder.singleValueContainer()
                    if let number = try? container.decode(Double.self) {
                        self = .number(number)
                    } else {
                        self = .text(try container.decode(String.self))
                    }
                }
            }
            let data: Data
        }
        func query(_ text: String, is wanted: String) async throws {
            _ = try await eventually(seconds: 90, "\(text) = \(wanted)") { () -> Bool? in
                let answer = try await caller.send(.get, "/api/v1/query?query=\(text)").decode(Answer.self)
                guard case .text(let value)? = answer.data.result.first?.value.last else { return nil }
                return value == wanted ? true : nil
            }
        }
        try await query("count(http_requests_in_flight)", is: "\(ServiceTable.all.count)")
        try await query("sum(orders_created_total)", is: "3")
        try await query("sum(checkouts_total)", is: "1")
        try await query("sum(users_registered_total)", is: "2")
        try await query("sum(saga_outcomes_total)", is: "3")
        await http.shutdown()
    }
}
