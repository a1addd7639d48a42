import EventLoop
import HTTP
import HTTPCodec
import Telemetry
import TelemetryTesting
import Testing

/// What a request to another service leaves behind.
@Suite struct ClientTelemetryTests {
    /// Sends one request in a context with a request id, and returns what was captured.
    private func capture(
        _ request: HTTPRequest, template: String? = nil, handler: @escaping HTTPHandler
    ) async throws -> (TelemetryCapture, HTTPServer, Result<HTTPResponse, any Error>) {
        let capture = TelemetryCapture(serviceName: "caller")
        let client = HTTPClient(group: loops, telemetry: capture.telemetry)
        let server = HTTPServer(configuration: .init(), group: loops, handler: handler)
        try await server.start()
        let result: Result<HTTPResponse, any Error>
        do {
            let response = try await TelemetryContext.$current.withValue(TelemetryContext(requestID: "req-1")) {
                try await client.send(request, to: server.url, timeoutMilliseconds: 500, urlTemplate: template)
            }
            result = .success(response)
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        await server.drain(timeoutSeconds: 0)
        return (capture, server, result)
    }

    private func series(_ server: HTTPServer, method: String, status: String, error: String) -> String {
        "http_client_request_duration_seconds_count{http_request_method=\"\(method)\",server_address=\"127.0.0.1\","
            + "server_port=\"\(server.port)\",http_response_status_code=\"\(status)\",error_type=\"\(error)\"}"
    }

    @Test func successIsOneSpanAndOneMeasurement() async throws {
        let handler: HTTPHandler = { request in
            var fields = HTTPFields()
            for name in ["traceparent", "x-request-id", "baggage"] {
                fields.add("seen-\(name)", request.headers[name] ?? "")
            }
            return HTTPResponse(headers: fields)
        }
        var sent = HTTPFields()
        sent.add("traceparent", "00-11111111111111111111111111111111-2222222222222222-01")
        let (capture, server, result) = try await capture(
            HTTPRequest(
                method: .get,
                target: "/things/42?sig=secret&a=b&access_token=t&user%5Bemail%5D=x&mail=ann@shop.example",
                headers: sent), template: "/things/{id}",
            handler: handler)
        let response = try result.get()
        let span = try #require(capture.spans.first)
        #expect(capture.spans.count == 1)
        #expect(span.name == "GET /things/{id}")
        #expect(span.kind == .client)
        #expect(span.status == .unset)
        #expect(span.attributes["http.request.method"] == "GET")
        #expect(span.attributes["http.response.status_code"] == 200)
        #expect(span.attributes["server.address"] == "127.0.0.1")
        #expect(span.attributes["server.port"] == .int(server.port))
        #expect(span.attributes["url.template"] == "/things/{id}")
        #expect(
            span.attributes["url.full"]
                == .string(
                    "\(server.url)/things/42?sig=REDACTED&a=b&access_token=REDACTED&user%5Bemail%5D=REDACTED"
                        + "&mail=[redacted]"))
        #expect(span.attributes["error.type"] == nil)
        // The context of the span replaces what the caller had put there.
        #expect(
            response.headers["seen-traceparent"] == "00-\(span.context.traceID)-\(span.context.spanID)-01"
                || response.headers["seen-traceparent"] == "00-\(span.context.traceID)-\(span.context.spanID)-03")
        #expect(response.headers["seen-x-request-id"] == "req-1")
        #expect(response.headers["seen-baggage"]?.contains("req-1") == true)
        #expect(capture.value(series(server, method: "GET", status: "200", error: "")) == 1)
    }

    @Test(arguments: [404, 503])
    func errorStatusIsAnErrorOfTheClient(_ status: Int) async throws {
        let (capture, server, _) = try await capture(
            HTTPRequest(method: .post, target: "/x"), handler: { _ in HTTPResponse(status: HTTPStatus(status)) })
        let span = try #require(capture.spans.first)
        #expect(span.name == "POST")
        #expect(span.attributes["error.type"] == .string("\(status)"))
        #expect(span.status == .error(""))
        #expect(capture.value(series(server, method: "POST", status: "\(status)", error: "\(status)")) == 1)
    }

    @Test func timeOutIsAnErrorWithoutAStatus() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { _ in
            try await gate.pass()
            return HTTPResponse()
        }
        let (capture, server, result) = try await capture(HTTPRequest(method: .get, target: "/"), handler: handler)
        #expect(throws: HTTPClientError.timedOut) { try result.get() }
        let span = try #require(capture.spans.first)
        #expect(span.attributes["error.type"] == "timeout")
        #expect(span.attributes["http.response.status_code"] == nil)
        #expect(capture.value(series(server, method: "GET", status: "", error: "timeout")) == 1)
    }

    @Test func unknownMethodDoesNotBecomeALabel() async throws {
        let (capture, server, _) = try await capture(
            HTTPRequest(method: HTTPMethod("BREW"), target: "/pot"), template: "/pot", handler: hello)
        let span = try #require(capture.spans.first)
        #expect(span.name == "HTTP /pot")
        #expect(span.attributes["http.request.method"] == "_OTHER")
        #expect(span.attributes["http.request.method_original"] == "BREW")
        #expect(capture.value(series(server, method: "_OTHER", status: "200", error: "")) == 1)
    }

    @Test func eachAttemptIsASpan() async throws {
        let peer = RawListener()
        let server = Task {
            while true {
                let connection = try await peer.accept()
                _ = try await connection.receiveMessage()
                try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                _ = try await connection.receive()
                connection.resetOnClose()
            }
        }
        defer { server.cancel() }
        let capture = TelemetryCapture(serviceName: "caller")
        let client = HTTPClient(group: loops, telemetry: capture.telemetry)
        let url = peer.url
        try await loops.loops[0].run {
            for _ in 0..<2 { _ = try await client.send(HTTPRequest(method: .get, target: "/"), to: url) }
        }
        await client.shutdown()
        let spans = capture.spans
        #expect(spans.count == 3)
        #expect(spans[1].attributes["error.type"] == "disconnected")
        #expect(spans[1].attributes["http.request.resend_count"] == nil)
        #expect(spans[2].attributes["http.request.resend_count"] == 1)
        #expect(spans[2].attributes["http.response.status_code"] == 200)
    }

    @Test func streamedResponseIsMeasuredToItsEnd() async throws {
        let capture = TelemetryCapture(serviceName: "caller")
        let client = HTTPClient(group: loops, telemetry: capture.telemetry)
        let pieces = Pieces(count: 100, size: 64 * 1024)
        try await serving(handler: { _ in HTTPResponse(body: .stream(length: nil, pieces)) }) { server in
            let response = try await client.send(HTTPRequest(method: .get, target: "/"), to: server.url)
            #expect(capture.spans.isEmpty)
            _ = try await response.body.collect(upTo: 64 << 20)
            let isEnded = await eventually { capture.spans.count == 1 }
            #expect(isEnded)
        }
        await client.shutdown()
    }
}
