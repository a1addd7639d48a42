/// What log lines say in the names of ECS, in those that OpenTelemetry has for the same (semantic conventions 1.44).
extension AttributeKey {
    static let openTelemetryNames = [
        "error.message": "exception.message",
        "error.stack_trace": "exception.stacktrace",
        "http.request.body.bytes": "http.request.body.size",
        "http.request.bytes": "http.request.size",
        "http.response.body.bytes": "http.response.body.size",
        "http.response.bytes": "http.response.size",
        "http.version": "network.protocol.version",
        "labels.http_route": "http.route",
        "client.ip": "client.address",
        "log.origin.file.name": "code.file.path",
        "log.origin.file.line": "code.line.number",
        "log.origin.function": "code.function.name",
        "process.thread.id": "thread.id",
        "process.thread.name": "thread.name",
        "service.environment": "deployment.environment.name",
        "service.node.name": "service.instance.id",
    ]

    private static let renamed = Dictionary(
        uniqueKeysWithValues: openTelemetryNames.map { (AttributeKey($0.key), AttributeKey($0.value)) })

    /// The key of OpenTelemetry where that of ECS differs, else the same.
    package var inOpenTelemetry: AttributeKey { traits.contains(.isRenamed) ? Self.renamed[self] ?? self : self }
}
