import EventLoop
import HTTP
import HTTPCodec
import Testing

@Suite struct ServerTests {
    @Test func aThousandRequestsOnOneConnection() async throws {
        try await serving(handler: echo) { server in
            let client = try RawClient(port: server.port)
            for number in 0..<1000 {
                try await client.send("GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
                let response = try await client.receiveResponse()
                #expect(response.status == 200)
                #expect(response.body == "GET /\(number) ")
            }
            #expect(server.connectionCount == 1)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let handler: HTTPHandler = { request in
            // The first ones take longest.
            if request.target == "/0" { try await EventLoop.current?.sleep(milliseconds: 30) }
            if request.target == "/1" { await Task.yield() }
            return try await echo(request)
        }
        try await serving(handler: handler) { server in
            let client = try RawClient(port: server.port)
            let requests = (0..<200).map { "POST /\($0) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" }
            try await client.send(requests.joined())
            for number in 0..<200 {
                let response = try await client.receiveResponse()
                #expect(response.body == "POST /\(number) abc")
            }
        }
    }
}
