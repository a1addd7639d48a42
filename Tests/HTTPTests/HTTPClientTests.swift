import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct HTTPClientTests {
    private let echo: HTTPHandler = { request in
        var headers = HTTPFields()
        for name in ["traceparent", "x-request-id", "x-request-deadline"] {
            if let value = request.headers[name] { headers.add("seen-\(name)", value) }
        }
        return HTTPResponse(headers: headers, body: .bytes(try await request.body.collect(upTo: 64 * 1024 * 1024)))
    }

    @Test func reusesItsConnection() async throws {
        try await withServer(handler: echo) { port, group, server in
            let client = HTTPClient(group: group, telemetry: nil)
            for number in 0..<100 {
                let answer = try await client.send(
                    HTTPRequest(method: .post, target: "/", body: .bytes(Array("\(number)".utf8))),
                    to: "http://127.0.0.1:\(port)")
                #expect(try await answer.body.collect(upTo: 10) == Array("\(number)".utf8))
            }
            #expect(server.connectionCount == 1)
            await client.shutdown()
        }
    }

    @Test func streamsALargeBodyThereAndBack() async throws {
        let proxied: HTTPHandler = { request in HTTPResponse(body: request.body) }
        try await withServer(configure: { $0.maxBodyBytes = 64 * 1024 * 1024 }, handler: proxied) { port, group, _ in
            let client = HTTPClient(group: group, telemetry: nil)
            let left = Atomic<Int>(300)
            let pieces = AsyncThrowingStream<[UInt8], any Error> {
                left.wrappingSubtract(1, ordering: .relaxed).newValue >= 0 ? [UInt8](repeating: 7, count: 30_000) : nil
            }
            let answer = try await client.send(
                HTTPRequest(method: .post, target: "/", body: .stream(length: nil, pieces)),
                to: "http://127.0.0.1:\(port)")
            #expect(try await answer.body.collect(upTo: 10_000_000).count == 9_000_000)
            await client.shutdown()
        }
    }

    @Test func resendsOnAConnectionThatThePeerHadClosed() async throws {
        try await withServer(configure: { $0.idleTimeoutSeconds = 1 }, handler: echo) { port, group, _ in
            let client = HTTPClient(group: group, telemetry: nil)
            let url = "http://127.0.0.1:\(port)"
            #expect(try await client.send(HTTPRequest(method: .get, target: "/"), to: url).status == .ok)
            try await Task.sleep(nanoseconds: 1_600_000_000)
            #expect(try await client.send(HTTPRequest(method: .get, target: "/"), to: url).status == .ok)
            await client.shutdown()
        }
    }

    @Test func givesUpAfterItsTime() async throws {
        let slow: HTTPHandler = { _ in
            try await Task.sleep(nanoseconds: 3_000_000_000)
            return HTTPResponse()
        }
        try await withServer(handler: slow) { port, group, _ in
            let client = HTTPClient(group: group, telemetry: nil)
            await #expect(throws: HTTPClientError.timedOut) {
                _ = try await client.send(
                    HTTPRequest(method: .get, target: "/"), to: "http://127.0.0.1:\(port)", timeoutMilliseconds: 100)
            }
            await client.shutdown()
        }
    }

    @Test func saysThatNobodyListens() async throws {
        let group = EventLoopGroup(count: 1)
        let client = HTTPClient(group: group, telemetry: nil)
        await #expect {
            _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: "http://127.0.0.1:1")
        } throws: { error in
            if case HTTPClientError.connectFailed = error { true } else { false }
        }
        await client.shutdown()
        group.shutdown()
    }

    @Test func waitsForAConnectionWhenAllAreTaken() async throws {
        try await withServer(loops: 2, handler: echo) { port, group, server in
            var configuration = HTTPClient.Configuration()
            configuration.maxConnectionsPerHostAndLoop = 4
            let client = HTTPClient(configuration: configuration, group: group, telemetry: nil)
            let count = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for number in 0..<500 {
                    tasks.addTask {
                        let answer = try await client.send(
                            HTTPRequest(method: .post, target: "/", body: .bytes([UInt8(number & 255)])),
                            to: "http://127.0.0.1:\(port)")
                        return try await answer.body.collect(upTo: 1) == [UInt8(number & 255)] ? 1 : 0
                    }
                }
                return try await tasks.reduce(0, +)
            }
            #expect(count == 500)
            #expect(server.connectionCount <= 8)
            await client.shutdown()
        }
    }

    @Test func isSeenAsASpanAndCarriesTheContext() async throws {
        try await withServer(handler: echo) { port, group, _ in
            let capture = TelemetryCapture(serviceName: "caller")
            let client = HTTPClient(group: group, telemetry: capture.telemetry)
            let answer = try await TelemetryContext.$current.withValue(TelemetryContext(requestID: "req-1")) {
                try await client.send(
                    HTTPRequest(method: .get, target: "/things/42"), to: "http://127.0.0.1:\(port)",
                    urlTemplate: "/things/{id}")
            }
            let span = try #require(capture.spans.first)
            #expect(span.name == "GET /things/{id}")
            #expect(span.kind == .client)
            #expect(span.attributes["http.response.status_code"] == .int(200))
            let parent = try #require(answer.headers["seen-traceparent"])
            #expect(parent.contains("\(span.context.traceID)-\(span.context.spanID)"))
            #expect(answer.headers["seen-x-request-id"] == "req-1")
            let left = try #require(answer.headers["seen-x-request-deadline"].flatMap { Int($0) })
            #expect((1...10_000).contains(left))
            #expect(
                capture.value(
                    "http_client_request_duration_seconds_count{method=\"GET\",server_address=\"127.0.0.1\",server_port=\"\(port)\",status=\"200\",error_type=\"\"}"
                ) == 1)
            await client.shutdown()
        }
    }
}
