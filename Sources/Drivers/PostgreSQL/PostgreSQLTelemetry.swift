internal import EventLoop
package import Telemetry

/// What the database client tells of itself (OpenTelemetry database conventions, stable, beside the older names).
package struct PostgreSQLTelemetry: Sendable {
    package static let queries = Counter(
        "db_queries_total",
        help: "Statements sent to the database, by outcome: success, error, or cancelled by who had asked.",
        labels: ["operation", "collection", "outcome"])
    package static let queryDuration = Histogram(
        "db_query_duration_seconds", unit: .seconds,
        help: "Duration of statements, from sending to the last row, without waiting for a connection.",
        labels: ["operation", "collection"], buckets: Histogram.databaseBuckets)
    package static let connections = UpDownCounter(
        "db_client_connection_count", help: "Connections of the pools, by state: idle or used.",
        labels: ["db_client_connection_pool_name", "db_client_connection_state"])
    package static let maxConnections = Gauge(
        "db_client_connection_max", help: "Connections that the pools may open in all.",
        labels: ["db_client_connection_pool_name"])
    package static let pendingRequests = UpDownCounter(
        "db_client_connection_pending_requests", help: "Callers that wait for a connection.",
        labels: ["db_client_connection_pool_name"])
    package static let timeouts = Counter(
        "db_client_connection_timeouts_total", help: "Callers that got no connection in time.",
        labels: ["db_client_connection_pool_name"])
    package static let failures = Counter(
        "db_connection_failures_total", help: "Connections that could not be opened.")

    /// Every metric that the client emits.
    package static let metrics: [MetricDeclaration] = [
        queries.declaration, queryDuration.declaration, DatabaseOperation.duration.declaration,
        connections.declaration, maxConnections.declaration, pendingRequests.declaration, timeouts.declaration,
        failures.declaration,
    ]

    /// Every name that the client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{summary}", kind: .client, help: "A statement, named by its summary: `SELECT orders`.",
                attributes: DatabaseOperation.spanAttributes + [.dbQueryText])
        ])

    let idle: GaugeSeries
    let used: GaugeSeries
    let waiting: GaugeSeries
    let poolTimeouts: CounterSeries
    let connectionFailures: CounterSeries
    private let telemetry: Telemetry
    private let counts: CounterFamily
    private let durations: HistogramFamily
    private let peer: DatabaseOperation.Peer
    private let clock = TelemetryClock.system
    private let statements: [StatementTable]

    init(_ telemetry: Telemetry, address: ConnectionAddress, loops: Int, maxConnections: Int) {
        self.telemetry = telemetry
        peer = DatabaseOperation.Peer(
            system: "postgresql", namespace: address.database, address: address.host, port: address.port)
        let metrics = telemetry.metrics
        counts = metrics.counter(Self.queries)
        durations = metrics.histogram(Self.queryDuration)
        let pool = "\(address.host):\(address.port)/\(address.database)"
        let connections = metrics.upDownCounter(Self.connections)
        idle = connections.series(pool, "idle")
        used = connections.series(pool, "used")
        waiting = metrics.upDownCounter(Self.pendingRequests).series(pool)
        poolTimeouts = metrics.counter(Self.timeouts).series(pool)
        connectionFailures = metrics.counter(Self.failures).series()
        // A service may have a second pool of the same database: the bound is that of both.
        metrics.gauge(Self.maxConnections).series(pool).add(Double(maxConnections))
        statements = (0..<loops).map { _ in StatementTable() }
    }

    /// What one summary is told of by, resolved once a loop.
    private final class Statement: Sendable {
        let operation: DatabaseOperation
        let duration: HistogramSeries
        let successes: CounterSeries
        let errors: CounterSeries
        let cancellations: CounterSeries

        init(_ summary: String, _ client: PostgreSQLTelemetry) {
            let parts = summary.split(separator: " ", maxSplits: 1).map(String.init)
            let name = parts.first ?? summary
            let collection = parts.count > 1 ? parts[1] : ""
            operation = DatabaseOperation(
                client.telemetry, client.peer, name: name, collection: collection, summary: summary)
            duration = client.durations.series(name, collection)
            successes = client.counts.series(name, collection, "success")
            errors = client.counts.series(name, collection, "error")
            cancellations = client.counts.series(name, collection, "cancelled")
        }
    }

    /// Safety (`@unchecked Sendable`): one table a loop, touched on its thread only.
    private final class StatementTable: @unchecked Sendable {
        var known: [String: Statement] = [:]
    }

    private func statement(_ summary: String, loop: Int) -> Statement {
        if let known = statements[loop].known[summary] { return known }
        let statement = Statement(summary, self)
        statements[loop].known[summary] = statement
        return statement
    }

    /// Runs a statement within its span, and measures it.
    func observe(
        _ summary: String, text: String, loop: EventLoop, _ body: () async throws -> PostgreSQLResult
    ) async throws -> PostgreSQLResult {
        let statement = statement(summary, loop: loop.index)
        let span = telemetry.tracer.startSpan(summary, kind: .client)
        if span.isRecording {
            span.set(statement.operation.attributes)
            span.set(.dbQueryText, text)
        }
        let start = clock.monotonicNanoseconds()
        do {
            let result = try await body()
            statement.successes.increment()
            end(statement, span, start, .completed)
            return result
        } catch is CancellationError {
            statement.cancellations.increment()
            end(statement, span, start, .cancelled)
            throw CancellationError()
        } catch {
            statement.errors.increment()
            end(statement, span, start, Self.failure(error))
            throw error
        }
    }

    private func end(_ statement: Statement, _ span: Span, _ start: UInt64, _ ending: DatabaseOperation.Ending) {
        let seconds = Double(clock.monotonicNanoseconds() - start) / 1e9
        statement.duration.record(seconds, exemplar: span.context)
        statement.operation.end(span, seconds: seconds, ending)
    }

    private static func failure(_ error: any Error) -> DatabaseOperation.Ending {
        guard let error = error as? PostgreSQLError else {
            return .failed(type: ErrorType.name(of: error), status: "")
        }
        if case .server(let code, _, _) = error { return .failed(type: code, status: code) }
        return .failed(type: error.type, status: "")
    }
}
