import HTTP
import HTTPCodec
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// What a request leaves behind under the stable names of OpenTelemetry: span and metric say the same, and only what was
/// so.
@Suite struct ConventionTests {
    private struct Broken: Error {}

    private func run<T>(_ body: (TestService) async throws -> T) async throws -> T {
        try await TestService.run(
            build: { app in
                app.trustsIncomingContext = true
                app.routes("/shop") { group in
                    group.get("/items/{id}", .open) { request in try .json(request.parameter("id")) }
                    group.get("/broken", .open) { _ in throw Broken() }
                    group.get("/closed", .open) { _ in HTTPResponse(status: .serviceUnavailable) }
                    group.get("/broken/stream", .open) { _ in
                        HTTPResponse(body: .stream(length: nil, Pieces(pieces: [[1]], error: Broken())))
                    }
                }
            }, body)
    }

    private func count(
        _ service: TestService, _ route: String, method: String = "GET", status: String, error: String = "",
        version: String = "1.1"
    ) -> Double? {
        service.capture.value(
            "http_server_request_duration_seconds_count{http_request_method=\"\(method)\",http_route=\"\(route)\","
                + "http_response_status_code=\"\(status)\",url_scheme=\"http\",error_type=\"\(error)\","
                + "network_protocol_version=\"\(version)\"}")
    }

    @Test func errorTypeIsTheSameOnSpanAndMetric() async throws {
        try await run { (service: TestService) async throws in
            for (path, status, type) in [("/shop/broken", 500, "Broken"), ("/shop/closed", 503, "503")] {
                #expect(try await service.get(path).status == status)
                let span = try #require(service.capture.spans(named: "GET \(path)").first)
                #expect(span.attributes["error.type"] == .string(type))
                #expect(span.status == .error(""))
                #expect(count(service, path, status: "\(status)", error: type) == 1)
            }
        }
    }

    @Test func anAnswerThatBreaksOffIsAnErrorWithTheStatusThatWasSent() async throws {
        try await run { (service: TestService) async throws in
            await #expect(throws: (any Error).self) { _ = try await service.get("/shop/broken/stream") }
            #expect(await eventually { !service.capture.spans(named: "GET /shop/broken/stream").isEmpty })
            let span = try #require(service.capture.spans(named: "GET /shop/broken/stream").first)
            #expect(span.attributes["error.type"] == "Broken")
            #expect(span.status == .error(""))
            #expect(await eventually { count(service, "/shop/broken/stream", status: "200", error: "Broken") == 1 })
        }
    }

    @Test func aPathWithoutARouteHasNone() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.get("/nothing")
            let span = try #require(service.capture.spans(named: "GET").first)
            #expect(span.attributes["http.route"] == nil)
            #expect(span.attributes["http.response.status_code"] == 404)
            #expect(count(service, "", status: "404") == 1)
            #expect(
                service.capture.value(
                    #"http_requests_total{service="shopfront",method="GET",route="unmatched",status="404"}"#) == 1)
        }
    }

    @Test func anUnknownMethodIsKeptOnTheSpanOnly() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.send(HTTPMethod("BREW"), "/shop/items/7")
            let span = try #require(service.capture.spans(named: "HTTP /shop/items/{id}").first)
            #expect(span.attributes["http.request.method"] == "_OTHER")
            #expect(span.attributes["http.request.method_original"] == "BREW")
            #expect(count(service, "/shop/items/{id}", method: "_OTHER", status: "405") == 1)
            _ = try await service.get("/shop/items/7")
            let usual = try #require(service.capture.spans(named: "GET /shop/items/{id}").first)
            #expect(usual.attributes["http.request.method_original"] == nil)
        }
    }

    @Test func theVersionIsThatOfTheRequest() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.get("/shop/items/7")
            let client = """
                import http.client, sys
                http.client.HTTPConnection._http_vsn_str = "HTTP/1.0"
                connection = http.client.HTTPConnection(sys.argv[1].removeprefix("http://"), timeout=60)
                connection.request("GET", "/shop/items/8")
                print(connection.getresponse().status)
                """
            let old = try ChildProcess.python(client, [service.url])
            #expect(old.output == "200\n", "\(old.errors)")
            let spans = service.capture.spans(named: "GET /shop/items/{id}")
            #expect(spans.map { $0.attributes["network.protocol.version"] } == ["1.1", "1.0"])
            #expect(count(service, "/shop/items/{id}", status: "200") == 1)
            #expect(count(service, "/shop/items/{id}", status: "200", version: "1.0") == 1)
        }
    }

    @Test func theStableNameHasExemplars() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.get("/shop/items/7")
            let span = try #require(service.capture.spans(named: "GET /shop/items/{id}").first)
            let lines = service.capture.openMetricsText.split(separator: "\n").filter {
                $0.hasPrefix("http_server_request_duration_seconds_bucket")
                    && $0.contains(##"# {trace_id="\##(span.context.traceID)",span_id="\##(span.context.spanID)"}"##)
            }
            #expect(lines.count == 1)
        }
    }

    @Test func aClientThatGoesAwayIsNoErrorAndNoStatus() async throws {
        let hasBegun = Mutex(false)
        try await TestService.run(build: { app in
            app.routes("/shop") { group in
                group.get("/slow", .open) { _ in
                    hasBegun.withLock { $0 = true }
                    // Ends when the client goes away.
                    try await Task.sleep(nanoseconds: 120_000_000_000)
                    return .empty()
                }
            }
        }) { (service: TestService) async throws in
            let caller = Task { try await service.get("/shop/slow") }
            #expect(await eventually { hasBegun.withLock { $0 } })
            caller.cancel()
            _ = await caller.result
            let seeds = #"http_requests_total{service="shopfront",method="GET",route="/shop/slow",status="499"}"#
            #expect(await eventually { service.capture.value(seeds) == 1 })
            #expect(await eventually { count(service, "/shop/slow", status: "") == 1 })
            let span = try #require(service.capture.spans(named: "GET /shop/slow").first)
            #expect(span.attributes["http.response.status_code"] == nil)
            #expect(span.attributes["error.type"] == nil)
            #expect(span.status == .unset)
            #expect(await eventually { service.capture.logLines(event: HTTPTelemetry.request).count == 1 })
            let line = try #require(service.capture.logLines(event: HTTPTelemetry.request).first)
            #expect(line.contains(#""http.response.status_code":499"#))
            #expect(line.contains(#""error.type":"disconnected""#))
        }
    }
}
