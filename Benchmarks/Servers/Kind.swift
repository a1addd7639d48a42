import EventLoop
import Gateway
import HTTP
import HTTPCodec
import Orders
import ServiceKit
import Synchronization
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
    /// The platform's gateway, alone; `CATALOG_URL` names what it proxies to.
    case gateway
    /// The platform's orders, alone; `DATABASE_URL`, `RABBITMQ_URL` and `CATALOG_URL` name what it needs.
    case orders
    /// A model in PostgreSQL under `DATABASE_URL`, and a second service, on `READER_PORT`, that reads it from the first.
    case models
    /// No server of ours: a PostgreSQL and a RabbitMQ for the others, under `BENCH_FOLDER`.
    case backends
    /// The PostgreSQL alone.
    case database

    static let body = Array(#"{"message":"hello"}"#.utf8)

    /// Starts the server.
    /// - Parameter settings: the environment.
    /// - Returns: what must live as long as it serves.
    func serve(port: Int, settings: [String: String], group: EventLoopGroup) async throws -> any Sendable {
        switch self {
        case .bare: try await Self.serveBare(port: port, group: group)
        case .full: try await Self.host([Self.hello(port, settings)], settings, group)
        case .quiet: try await Self.host([Self.hello(port, settings)], settings, group) { _ in .disabled() }
        case .gateway: try await Self.host([GatewayService.definition], settings, group, port: port)
        case .orders: try await Self.host([OrdersService.definition], settings, group, port: port)
        case .models:
            try await Self.host([ModelServices.keeper, ModelServices.reader], settings, group, port: port)
        case .backends: try Backends(folder: settings["BENCH_FOLDER"] ?? ".", hasBroker: true)
        case .database: try Backends(folder: settings["BENCH_FOLDER"] ?? ".", hasBroker: false)
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

    private static let labelled = Counter(
        "bench_labelled_total", help: "Requests, by a label that may have very many values.", labels: ["value"])

    /// `/hello`, and `/labelled`, which counts each request under the next one of `BENCH_LABEL_VALUES` label values.
    private static func hello(_ port: Int, _ settings: [String: String]) -> ServiceDefinition {
        let values = max(1, settings["BENCH_LABEL_VALUES"].flatMap(Int.init) ?? 1)
        return ServiceDefinition(name: "bench", summary: "a small JSON answer", port: port) { app in
            let counts = app.telemetry.metrics.counter(labelled)
            let next = Atomic<Int>(0)
            app.routes("") { routes in
                routes.get("/hello", .open) { _ in .json(bytes: body) }
                // The same for whoever has a token, and for whoever has a permission that is known already.
                routes.get("/private", .user) { _ in .json(bytes: body) }
                let permissions = PermissionDirectory { _ in ["bench.read", "bench.write"] }
                routes.get("/permitted", permissions.access("bench.read", or: ["nobody"])) { _ in .json(bytes: body) }
                routes.get("/labelled", .open) { _ in
                    counts.series("\(next.wrappingAdd(1, ordering: .relaxed).oldValue % values)").increment()
                    return .json(bytes: body)
                }
            }
        }
    }

    /// - Parameter port: of the first service.
    private static func host(
        _ services: [ServiceDefinition], _ settings: [String: String], _ group: EventLoopGroup, port: Int? = nil,
        telemetry: (@Sendable (String) -> Telemetry)? = nil
    ) async throws -> ServiceHost {
        var settings = settings
        if let port { settings[services[0].name.uppercased() + "_PORT"] = "\(port)" }
        let host = ServiceHost(services: services, values: settings, group: group, telemetry: telemetry)
        try await host.start()
        return host
    }
}
