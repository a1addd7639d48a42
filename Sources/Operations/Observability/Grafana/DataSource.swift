/// The data sources that Grafana is provisioned with; dashboards refer to them by these uids.
enum DataSource: String, CaseIterable, Sendable {
    case prometheus, jaeger, elasticsearch, alertmanager

    var reference: Document { ["type": .string(rawValue), "uid": .string(rawValue)] }
}
