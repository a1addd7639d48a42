import HTTP
import ServiceTesting
import HTTPCodec
import Synchronization

/// A server in a service's place: remembers what it was asked, and answers as it is told.
final class StandIn: Sendable {
    let url: String
    private let server: HTTPServer
    private let memory: Memory

    private final class Memory: Sendable {
        let requests = Mutex<[HTTPRequest]>([])
    }

    /// - Parameter body: answers a request; by default with 200 and the path.
    init(maxBodyBytes: Int = 1 << 20, _ body: HTTPHandler? = nil) async throws {
        let memory = Memory()
        self.memory = memory
        var configuration = HTTPServer.Configuration()
        configuration.maxBodyBytes = maxBodyBytes
        server = HTTPServer(configuration: configuration, group: Deployment.group) { request in
            memory.requests.withLock { $0.append(request) }
            if let body { return try await body(request) }
            return HTTPResponse(body: .bytes(Array(request.target.utf8)))
        }
        try await server.start()
        url = "http://127.0.0.1:\(server.port)"
    }

    /// Requests so far; their bodies may have been read.
    var requests: [HTTPRequest] { memory.requests.withLock { $0 } }

    func stop() async { await server.drain(timeoutSeconds: 0) }
}
