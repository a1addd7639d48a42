import EventLoop
import HTTP
import HTTPCodec
import ServiceKit
import Telemetry

/// How much of the stack answers.
enum Kind: String, CaseIterable {
    /// Socket, codec and an `async` handler; no telemetry, no middleware.
    case bare
    /// A service with one route: router, context, access, deadline; metrics, span and access log of every request. The
    /// usual `OTEL_*` variables say where spans go.
    case full
    /// The same service with its telemetry switched off.
    case quiet

    static let body = Array(#"{"message":"hello"}"#.utf8)

    /// Starts the server.
    /// - Parameter settings: the environment.
    /// - Returns: what must live as long as it serves.
    func serve(port: Int, settings: [String: String], group: EventLoopGroup) async throws -> any Sendable {
        switch self {
        case .bare: try await Self.serveBare(port: port, group: group)
        case .full: try await Self.serveService(port: port, settings: settings, group: group, telemetry: nil)
        case .quiet:
            try await Self.serveService(port: port, settings: settings, group: group) { _ in .disabled() }
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

    private static func serveService(
        port: Int, settings: [String: String], group: EventLoopGroup, telemetry: (@Sendable (String) -> Telemetry)?
    ) async throws -> ServiceHost {
        let definition = ServiceDefinition(name: "bench", summary: "a small JSON answer", port: port) { app in
            app.routes("") { routes in
                routes.get("/hello", .open) { _ in .json(bytes: body) }
            }
        }
        let host = ServiceHost(services: [definition], values: settings, group: group, telemetry: telemetry)
        try await host.start()
        return host
    }
}
