/// Names that Elasticsearch, Logstash, Kibana and Grafana agree on.
enum ElasticNames {
    /// One data stream for the lines of all services.
    static let dataset = "vitrine"
    static let namespace = "default"
    static let pattern = "logs-\(dataset)-*"
    /// Lines that are no JSON: kept, apart.
    static let unparsed = "\(dataset).unparsed"
    static let policy = "vitrine-logs"
    static let template = "vitrine-logs"
}
