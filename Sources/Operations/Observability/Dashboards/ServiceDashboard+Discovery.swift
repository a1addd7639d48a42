internal import Consul
internal import ServiceKit
internal import Telemetry

/// Where a service finds the others, and whether it is found itself. Empty without Consul.
extension ServiceDashboard {
    var discovery: Dashboard.Row {
        Dashboard.Row(
            "Discovery",
            [
                .lines(
                    "instances that requests go to", .none,
                    [
                        .init(
                            mine(DiscoveryTelemetry.instances.series).now.sum(by: "upstream", "source"),
                            "{{upstream}} {{source}}")
                    ], help: "From Consul; from settings (static) until it has told of a service."),
                .lines(
                    "since Consul last answered", .seconds,
                    [
                        .init(
                            PromQL.time - (mine(ConsulTelemetry.lastContact.series).now > 0).max(by: "watch"),
                            "{{watch}}")
                    ],
                    help: "Quiet watches answer once a minute; what is known is at most so old, and stays in use."),
                .stacked(
                    "instances set aside", .operations,
                    [.init(mine(DiscoveryTelemetry.setAside.series).rate(.panel).sum(by: "upstream"), "{{upstream}}")],
                    width: 4, help: "Left out for a while because they did not answer."),
                .stacked(
                    "requests to Consul", .operations,
                    [
                        .init(
                            mine(ConsulTelemetry.requests.series).rate(.panel).sum(by: "operation", "outcome"),
                            "{{operation}} {{outcome}}")
                    ], width: 4),
                .lines(
                    "registered", .none,
                    [.init(mine(DiscoveryTelemetry.registered.series).now.min(by: "instance"), "{{instance}}")],
                    width: 4),
            ])
    }
}
