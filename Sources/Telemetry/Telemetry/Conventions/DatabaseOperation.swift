/// One kind of database operation (`SELECT orders`, `GET`) as OpenTelemetry's stable conventions name it, the same for
/// every system: what its spans are told, and the series that their durations go to. Clients resolve one for each
/// statement and keep it.
package final class DatabaseOperation: Sendable {
    package static let duration = Histogram(
        "db_client_operation_duration_seconds", unit: .seconds,
        help: "Duration of database operations (OpenTelemetry semantic conventions), without waiting for a connection.",
        labels: [
            "db_system_name", "db_namespace", "db_operation_name", "db_collection_name", "db_response_status_code",
            "error_type", "server_address", "server_port",
        ], buckets: Histogram.databaseBuckets)

    /// What the spans of every database operation may be told.
    package static let spanAttributes: [AttributeKey] = [
        .dbSystemName, .dbNamespace, .dbOperationName, .dbCollectionName, .dbQuerySummary, .dbResponseStatusCode,
        .serverAddress, .serverPort,
    ]

    /// Where operations go.
    package struct Peer: Sendable {
        /// `postgresql`, `redis`.
        package let system: String
        /// The database's name, or its number.
        package let namespace: String
        package let address: String
        package let port: Int

        package init(system: String, namespace: String, address: String, port: Int) {
            self.system = system
            self.namespace = namespace
            self.address = address
            self.port = port
        }
    }

    /// How an operation ended.
    package enum Ending: Sendable {
        case completed
        /// Its caller did not want it any more: no error.
        case cancelled
        /// The status is the server's own code (the SQLSTATE), empty when it was not the server that said so.
        case failed(type: String, status: String)
    }

    /// What all spans of the operation are told.
    package let attributes: PreparedAttributes
    private let family: HistogramFamily
    private let usual: HistogramSeries
    private let peer: Peer
    private let name: String
    private let collection: String

    /// - Parameters:
    ///   - name: `SELECT`, `HGET`.
    ///   - collection: the table; empty when there is none.
    ///   - summary: both as one text, for systems with a query language.
    package init(_ telemetry: Telemetry, _ peer: Peer, name: String, collection: String = "", summary: String? = nil) {
        self.peer = peer
        self.name = name
        self.collection = collection
        family = telemetry.metrics.histogram(Self.duration)
        usual = family.series(
            peer.system, peer.namespace, name, collection, "", "", peer.address, String(peer.port))
        var attributes = [
            Attribute(.dbSystemName, .string(peer.system)), Attribute(.dbNamespace, .string(peer.namespace)),
            Attribute(.dbOperationName, .string(name)), Attribute(.serverAddress, .string(peer.address)),
            Attribute(.serverPort, .int(peer.port)),
        ]
        if !collection.isEmpty { attributes.append(Attribute(.dbCollectionName, .string(collection))) }
        if let summary { attributes.append(Attribute(.dbQuerySummary, .string(summary))) }
        self.attributes = PreparedAttributes(attributes, for: telemetry.tracer)
    }

    /// Ends the span of an operation and records its duration: both say the same of an error.
    package func end(_ span: Span, seconds: Double, _ ending: Ending) {
        guard case .failed(let type, let status) = ending else {
            usual.record(seconds, exemplar: span.context)
            return span.end()
        }
        if !status.isEmpty { span.set(.dbResponseStatusCode, status) }
        span.recordError(type: type)
        span.end()
        family.series(
            peer.system, peer.namespace, name, collection, status, type, peer.address, String(peer.port)
        ).record(seconds, exemplar: span.context)
    }
}

extension AttributeKey {
    package static let dbSystemName = AttributeKey("db.system.name")
    package static let dbNamespace = AttributeKey("db.namespace")
    package static let dbOperationName = AttributeKey("db.operation.name")
    package static let dbCollectionName = AttributeKey("db.collection.name")
    package static let dbQuerySummary = AttributeKey("db.query.summary")
    package static let dbQueryText = AttributeKey("db.query.text")
    package static let dbResponseStatusCode = AttributeKey("db.response.status_code")
}
