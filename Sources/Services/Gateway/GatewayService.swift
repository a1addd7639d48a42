internal import Configuration
internal import HTTP
internal import HTTPCodec
package import ServiceKit

/// The one door of the platform: routing, identity, limits, a clean set of header fields.
package enum GatewayService {
    package static let definition = ServiceDefinition(
        name: "gateway", summary: "the one door: routes, identifies, limits", port: 8080,
        telemetry: GatewayTelemetry.declarations
    ) { app in
        let configuration = GatewayConfiguration(app.configuration)
        let table = RoutingTable.platform
        // Whoever knocks here is a stranger: no trace is continued unasked, no signed identity believed.
        app.trustsIncomingContext = false
        app.continuesIncomingTraces = configuration.trustsTraceContext

        let client = HTTPClient(configuration: .proxy, group: app.group, telemetry: app.telemetry)
        app.component(ClientLifetime(client: client))
        let proxy = Proxy(
            table: table, configuration: configuration, services: app.services, client: client,
            identities: SignedIdentities(signer: app.identitySigner, group: app.group),
            telemetry: GatewayTelemetry(app.telemetry))
        // The gateway's own errors look as those of the service behind a path.
        for entry in table.entries { app.routes(entry.prefix, errors: entry.errors) { _ in } }
        app.fallback(
            maxBodyBytes: configuration.maxBodyBytes, templates: table.entries.map(\.template),
            template: { table.index(for: $0.target) }
        ) { try proxy.handle($0) }

        let health = ServicesHealth(table.services + ["processor"], services: app.services, client: client)
        app.routes("/health") { routes in
            routes.get("/services", .open, health.answer).about("Whether every service is ready")
                .answers(ServicesHealth.Answer.self, 200, "all are").answers(503, "some are not")
        }
        let catalogue = APICatalogue(
            table: table, services: app.services, client: client, freshSeconds: configuration.documentSeconds,
            own: app.openAPI)
        app.routes("/openapi.json", areDocumented: false) { routes in
            routes.get("", .open) { try await catalogue.whole(proxy.admitted($0)) }
        }
        app.routes("/docs/{service}", areDocumented: false) { routes in
            routes.get("", .open) { try catalogue.page($0) }
            routes.get("/openapi.json", .open) { try await catalogue.part(proxy.admitted($0)) }
        }
    }
}

extension HTTPClient.Configuration {
    /// Answers stream through, so their size does not matter; one peer may take what many would elsewhere.
    fileprivate static var proxy: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.maxConnectionsPerHostAndLoop = 256
        configuration.maxResponseBytes = .max
        return configuration
    }
}

/// Closes the connections to the services when the gateway has answered its last request.
private struct ClientLifetime: Component {
    let name = "connections to services"
    let client: HTTPClient
    func start() async throws {}
    func stop() async { await client.shutdown() }
}
