import EventLoop
import HTTP
import HTTPCodec
import Testing

@Suite struct ClientTests {
    @Test func connectionsAreKept() async throws {
        let client = HTTPClient(group: loops, telemetry: nil)
        try await serving(handler: echo) { server in
            let texts = try await loops.loops[0].run {
                var texts: [String] = []
                for number in 0..<100 {
                    let request = HTTPRequest(method: .post, target: "/\(number)", body: .bytes(Array("body".utf8)))
                    texts.append(try await client.send(request, to: server.url).text())
                }
                return texts
            }
            #expect(texts == (0..<100).map { "POST /\($0) body" })
            #expect(server.connectionCount == 1)
        }
        await client.shutdown()
    }
}
