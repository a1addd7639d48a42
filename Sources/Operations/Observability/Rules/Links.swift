/// Where alerts and dashboards send people: the addresses of `docker-compose.monitoring.yml` as seen from the host.
package struct Links: Sendable {
    package var grafana = "http://localhost:3001"
    package var jaeger = "http://localhost:16686"
    package var kibana = "http://localhost:5601"
    package var runbooks = "http://localhost:8010/runbooks"

    package init() {}

    private static let service = "{{ $labels.job }}"

    /// A dashboard; at the alert's service, where the alert names one.
    func dashboard(_ uid: String, namesService: Bool) -> String {
        if uid == ServiceDashboard.uidPrefix { return "\(grafana)/d/\(uid)\(namesService ? Self.service : "gateway")" }
        return "\(grafana)/d/\(uid)"
    }

    func runbook(_ alert: String) -> String { "\(runbooks)/\(alert).md" }

    /// Failed traces of the last hour.
    func traces(namesService: Bool) -> String {
        "\(jaeger)/search?lookback=1h&tags=%7B%22error%22%3A%22true%22%7D&service=\(namesService ? Self.service : "gateway")"
    }

    /// Warnings and errors of the last hour.
    func logs(namesService: Bool) -> String {
        let service = namesService ? "service.name:%22\(Self.service)%22%20and%20" : ""
        return "\(kibana)/app/discover#/?_g=(time:(from:now-1h,to:now))"
            + "&_a=(index:\(Self.dataView),query:(language:kuery,query:'\(service)log.level:(error%20or%20warn)'))"
    }

    /// The identifier of Kibana's data view of the logs.
    static let dataView = "vitrine-logs"
}
