internal import AMQP
internal import Caching
internal import Consul
internal import EventLoop
internal import HTTP
internal import PostgreSQL
internal import Redis
internal import Tasks
package import Telemetry
internal import TelemetryExport

/// What the parts that services are built from may emit, and with it the whole contract of a service.
extension ServiceDefinition {
    /// Everything that the service may emit, its own declarations first.
    package var contract: TelemetryContract {
        var scopes = [TelemetryContract.Scope(name, telemetry)]
        scopes += clients
        scopes += [
            .init("HTTP server", HTTPTelemetry.declarations), .init("HTTP client", HTTPClientTelemetry.declarations),
            .init("calls to services", ServiceBreakers.declarations),
        ]
        if database != nil {
            scopes += [
                .init("PostgreSQL client", PostgreSQLTelemetry.declarations),
                .init("invariants", InvariantTelemetry.declarations),
            ]
        }
        if usesRedis { scopes.append(.init("Redis client", RedisTelemetry.declarations)) }
        if !caches.isEmpty { scopes.append(.init("caches", CacheTelemetry.declarations)) }
        if !tasks.isEmpty { scopes.append(.init("tasks", TaskTelemetry.declarations)) }
        if usesBroker {
            scopes += [
                .init("broker client", AMQPTelemetry.declarations),
                .init("outbox and inbox", MessagingTelemetry.declarations),
            ]
        }
        return TelemetryContract(
            service: name,
            scopes: scopes + [
                .init("discovery", DiscoveryTelemetry.declarations),
                .init("Consul client", ConsulTelemetry.declarations),
                .init("periodic jobs", JobTelemetry.declarations), .init("lifecycle", LifecycleTelemetry.declarations),
                .init("telemetry", Telemetry.declarations), .init("resource", TelemetryPipeline.resource),
                .init("export", TelemetryPipeline.declarations), .init("process", TelemetryPipeline.process),
                .init("fault switches", FaultTelemetry.declarations), .init("process lead", ProcessLead.declarations),
                .init("event loops", TelemetryDeclarations(metrics: RuntimeMetrics.declarations)),
                .init("scrapes", TelemetryDeclarations(metrics: MetricsEndpoint.declarations)),
            ])
    }
}

extension HTTPTelemetry {
    /// Every name that serving HTTP emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{method}", kind: .server,
                help: "A request, named `{method} {route}`; the method alone when no route matches.",
                attributes: [
                    .httpRequestMethod, .requestMethodOriginal, .httpRoute, .urlPath, .urlScheme, .clientAddress,
                    .httpResponseStatusCode, .protocolVersion, .userID,
                ])
        ],
        events: events + [quietRequest],
        fields: [
            .httpRequestMethod, .urlPath, .routeLabel, .httpResponseStatusCode, .responseBytes, .eventDuration,
            .clientAddress, .userID, .errorType, .errorMessage, .reasonLabel,
        ])
}

extension JobTelemetry {
    /// Every name that periodic jobs emit.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [SpanDeclaration("job {job}", kind: .internal, help: "One run of a periodic job, a trace of its own.")],
        events: [failed], fields: [.errorType, .errorMessage])
}

extension LifecycleTelemetry {
    /// Every name that a service's life emits.
    package static let declarations = TelemetryDeclarations(events: events, fields: LogLevelRoutes.fields)
}
