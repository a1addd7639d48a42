package import Telemetry

/// Names that the SDK emits: facts about the process, and the queue of spans. Every service of a process shows them.
package enum SDKTelemetry {
    package static let process = TelemetryDeclarations(
        metrics: ProcessMetrics.declarations)

    package static let spans = TelemetryDeclarations(
        metrics: [
            BatchSpanProcessor.processed.declaration, BatchSpanProcessor.queueSize.declaration,
            BatchSpanProcessor.queueCapacity.declaration, BatchLogProcessor.processed.declaration,
            BatchLogProcessor.queueSize.declaration, BatchLogProcessor.queueCapacity.declaration,
            TailBuffer.outcomes.declaration,
            TailBuffer.waiting.declaration,
        ])
}
