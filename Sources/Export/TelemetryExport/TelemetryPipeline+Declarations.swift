package import Telemetry
internal import TelemetrySDK

extension TelemetryPipeline {
    /// What every service shows of itself.
    package static let resource = TelemetryDeclarations(metrics: [targetInfo.declaration])

    /// What exporting and writing tell of themselves, in one service of a process.
    package static let declarations = TelemetryDeclarations(
        metrics: SDKTelemetry.spans.metrics + OTLPInstruments.declarations.metrics + [
            MetricExporter.duration.declaration, LogWriter.dropped.declaration, LogWriter.waiting.declaration,
            LogstashShipper.connected.declaration, LogstashShipper.connects.declaration,
        ],
        events: [
            settingIgnored, OTLPInstruments.failed, OTLPInstruments.recovered, OTLPInstruments.partial,
            LogstashShipper.unreachable, LogstashShipper.reachable, CrashReporter.event,
        ],
        fields: [.errorType, AttributeKey("error.message"), AttributeKey("labels.build_id")])

    /// Facts about the process, in one service of it.
    package static let process = SDKTelemetry.process
}
