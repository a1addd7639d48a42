import EventLoop
import HTTP
import HTTPCodec

/// How much of the stack answers.
enum Kind: String, CaseIterable {
    /// Socket, codec and an `async` handler; no telemetry, no middleware.
    case bare

    static let body = Array(#"{"message":"hello"}"#.utf8)

    /// Starts the server.
    /// - Returns: what must live as long as it serves.
    func serve(port: Int, group: EventLoopGroup) async throws -> any Sendable {
        switch self {
        case .bare: try await Self.serveBare(port: port, group: group)
        }
    }

    private static func serveBare(port: Int, group: EventLoopGroup) async throws -> HTTPServer {
        var configuration = HTTPServer.Configuration()
        configuration.port = port
        let server = HTTPServer(configuration: configuration, group: group) { _ in
            var response = HTTPResponse(body: .bytes(body))
            response.headers.add("content-type", "application/json")
            return response
        }
        try await server.start()
        return server
    }
}
