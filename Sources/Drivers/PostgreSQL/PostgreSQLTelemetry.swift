internal import EventLoop
package import Telemetry

/// What the database client tells of itself (OpenTelemetry database conventions, stable, beside the older names).
package struct PostgreSQLTelemetry: Sendable {
    package static let queries = Counter(
        "db_queries_total", help: "Statements sent to the database.",
        labels: ["operation", "collection", "outcome"])
    package static let queryDuration = Histogram(
        "db_query_duration_seconds", unit: .seconds,
        help: "Duration of statements, from sending to the last row, without waiting for a connection.",
        labels: ["operation", "collection"], buckets: Histogram.databaseBuckets)
    package static let connections = UpDownCounter(
        "db_client_connections", help: "Connections of the pools, by state.", labels: ["state"])
    package static let maxConnections = Gauge(
        "db_client_connections_max", help: "Connections that the pools may open in all.")
    package static let pendingRequests = UpDownCounter(
        "db_client_pending_requests", help: "Callers that wait for a connection.")
    package static let timeouts = Counter(
        "db_client_timeouts_total", help: "Callers that got no connection in time.")
    package static let failures = Counter(
        "db_connection_failures_total", help: "Connections that could not be opened.")

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        queries.declaration, queryDuration.declaration, connections.declaration, maxConnections.declaration,
        pendingRequests.declaration, timeouts.declaration, failures.declaration,
    ]

    /// Every name that the client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{summary}", kind: .client, help: "A statement, named by its summary: `SELECT orders`.",
                attributes: [
                    .dbSystemName, .dbNamespace, .dbOperationName, .dbCollectionName, .dbQuerySummary, .dbQueryText,
                    .dbResponseStatusCode, .serverAddress, .serverPort,
                ])
        ])

    let tracer: Tracer
    let idle: GaugeSeries
    let used: GaugeSeries
    let waiting: GaugeSeries
    let poolTimeouts: CounterSeries
    let connectionFailures: CounterSeries
    private let counts: CounterFamily
    private let durations: HistogramFamily
    private let address: ConnectionAddress
    private let clock = TelemetryClock.system
    private let statements: [StatementTable]

    init(_ telemetry: Telemetry, address: ConnectionAddress, loops: Int, maxConnections: Int) {
        tracer = telemetry.tracer
        self.address = address
        let metrics = telemetry.metrics
        counts = metrics.counter(Self.queries)
        durations = metrics.histogram(Self.queryDuration)
        let connections = metrics.upDownCounter(Self.connections)
        idle = connections.series("idle")
        used = connections.series("used")
        waiting = metrics.upDownCounter(Self.pendingRequests).series()
        poolTimeouts = metrics.counter(Self.timeouts).series()
        connectionFailures = metrics.counter(Self.failures).series()
        // A service may have a second pool: the bound is that of both.
        metrics.gauge(Self.maxConnections).series().add(Double(maxConnections))
        statements = (0..<loops).map { _ in StatementTable() }
    }

    /// The series of one summary, resolved once a loop.
    struct Statement {
        let operation: String
        let collection: String
        let successes: CounterSeries
        let duration: HistogramSeries
    }

    /// Safety (`@unchecked Sendable`): one table a loop, touched on its thread only.
    final class StatementTable: @unchecked Sendable {
        fileprivate var known: [String: Statement] = [:]
    }

    private func statement(_ summary: String, loop: Int) -> Statement {
        if let known = statements[loop].known[summary] { return known }
        let parts = summary.split(separator: " ", maxSplits: 1).map(String.init)
        let operation = parts.first ?? summary
        let collection = parts.count > 1 ? parts[1] : ""
        let statement = Statement(
            operation: operation, collection: collection, successes: counts.series(operation, collection, "success"),
            duration: durations.series(operation, collection))
        statements[loop].known[summary] = statement
        return statement
    }

    /// Runs a statement within its span, and measures it.
    func observe(
        _ summary: String, text: String, loop: EventLoop, _ body: () async throws -> PostgreSQLResult
    ) async throws -> PostgreSQLResult {
        let statement = statement(summary, loop: loop.index)
        let span = tracer.startSpan(summary, kind: .client)
        if span.isRecording {
            span.set(.dbSystemName, "postgresql")
            span.set(.dbNamespace, address.database)
            span.set(.dbOperationName, statement.operation)
            if !statement.collection.isEmpty { span.set(.dbCollectionName, statement.collection) }
            span.set(.dbQuerySummary, summary)
            span.set(.dbQueryText, text)
            span.set(.serverAddress, address.host)
            span.set(.serverPort, address.port)
        }
        let start = clock.monotonicNanoseconds()
        defer {
            statement.duration.record(
                Double(clock.monotonicNanoseconds() - start) / 1e9, exemplar: span.context)
            span.end()
        }
        do {
            let result = try await body()
            statement.successes.increment()
            return result
        } catch {
            let type = (error as? PostgreSQLError)?.type ?? (error is CancellationError ? "cancelled" : "other")
            if case .server(let code, _, _)? = error as? PostgreSQLError { span.set(.dbResponseStatusCode, code) }
            span.recordError(type: type)
            counts.series(statement.operation, statement.collection, "error").increment()
            throw error
        }
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
