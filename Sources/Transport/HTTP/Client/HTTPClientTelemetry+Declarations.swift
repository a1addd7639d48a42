package import Telemetry

extension HTTPClientTelemetry {
    /// Every name that the HTTP client emits.
    package static let declarations = TelemetryDeclarations(
        metrics: metrics,
        spans: [
            SpanDeclaration(
                "{method}", kind: .client,
                help: "One attempt of a request to another service; `{method} {template}` when the path has one.",
                attributes: [
                    .httpRequestMethod, .requestMethodOriginal, .serverAddress, .serverPort, .urlFull, .urlTemplate,
                    .resendCount, .httpResponseStatusCode, .protocolVersion,
                ])
        ])
}
