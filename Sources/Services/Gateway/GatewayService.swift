internal import Configuration
internal import HTTP
internal import HTTPCodec
internal import Resilience
package import ServiceKit

/// The one door of the platform: routing, identity, limits, a clean set of header fields.
package enum GatewayService {
    package static let definition = ServiceDefinition(
        name: "gateway", summary: "the one door: routes, identifies, limits", port: 8080,
        telemetry: GatewayTelemetry.declarations
    ) { app in
        // Whoever knocks here is a stranger: no trace is continued, no signed identity believed.
        app.trustsIncomingContext = false
        let configuration = GatewayConfiguration(app.configuration)
        let table = RoutingTable.platform
        let proxy = Proxy(
            table: table, services: app.services, configuration: configuration,
            telemetry: GatewayTelemetry(app.telemetry),
            general: RateLimiter(
                ratePerSecond: Double(configuration.ratePerSecond), burst: Double(configuration.ratePerSecond) * 2),
            sensitive: RateLimiter(
                ratePerSecond: Double(configuration.sensitiveRatePerSecond),
                burst: Double(configuration.sensitiveRatePerSecond) * 2),
            identities: SignedIdentities(signer: app.identitySigner))
        app.fallback(
            template: { table.entry(for: $0.path)?.template ?? "unmatched" }, proxy.handle)
    }
}
