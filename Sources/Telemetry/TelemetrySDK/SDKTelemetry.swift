package import Telemetry

/// Names that the SDK emits: facts about the process, and the queue of spans. Shown by one service of a process.
package enum SDKTelemetry {
    package static let process = TelemetryDeclarations(
        metrics: [
            ProcessMetrics.cpu.declaration, ProcessMetrics.residentMemory.declaration,
            ProcessMetrics.virtualMemory.declaration, ProcessMetrics.openDescriptors.declaration,
            ProcessMetrics.maxDescriptors.declaration, ProcessMetrics.threads.declaration,
            ProcessMetrics.startTime.declaration,
        ])

    package static let spans = TelemetryDeclarations(
        metrics: [
            BatchSpanProcessor.processed.declaration, BatchSpanProcessor.queueSize.declaration,
            BatchSpanProcessor.queueCapacity.declaration,
        ])
}
