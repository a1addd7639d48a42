import EventLoop
import HTTP
import HTTPCodec
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// Whatever a collector does, each span ends up in exactly one count.
@Suite struct AccountingTests {
    enum Behaviour: CaseIterable, CustomTestStringConvertible {
        case takes, refuses, asksForPatience, isBusy, redirects, isTooSmall, breaks, hangs, isSlow, talksNonsense,
            isAway

        var testDescription: String { "\(self)" }

        func answer() async -> HTTPResponse {
            func response(_ code: Int, _ name: String = "x-nothing", _ value: String = "") -> HTTPResponse {
                var fields = HTTPFields()
                fields.set(name, value)
                return HTTPResponse(status: HTTPStatus(code), headers: fields, body: .empty)
            }
            switch self {
            case .takes, .isAway: return response(200)
            case .refuses: return response(400)
            case .asksForPatience: return response(429, "Retry-After", "0")
            case .isBusy: return response(503)
            case .redirects: return response(307, "Location", "http://127.0.0.1:1/v1/traces")
            case .isTooSmall: return response(413)
            case .breaks: return response(500)
            case .hangs:
                try? await Task.sleep(nanoseconds: 600_000_000_000)
                return response(200)
            case .isSlow:
                try? await Task.sleep(nanoseconds: 30_000_000)
                return response(200)
            case .talksNonsense:
                return HTTPResponse(
                    status: HTTPStatus(200), headers: HTTPFields(), body: .bytes(Array("\u{1}\u{2}<html>".utf8)))
            }
        }
    }

    private func sum(_ metrics: MetricRegistry, _ prefix: String) -> Int {
        let text = String(decoding: MetricsExposition.render(metrics, format: .fallback), as: UTF8.self)
        return text.split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix(prefix), let value = line.split(separator: " ").last.flatMap({ Double($0) }) else {
                return sum
            }
            return sum + Int(value)
        }
    }

    @Test(arguments: Behaviour.allCases)
    func everySpanIsCountedOnce(behaviour: Behaviour) async throws {
        let collector = try await FakeCollector { _ in await behaviour.answer() }
        let away = TestListener().port
        var configuration = ExportConfiguration(values: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": behaviour == .isAway ? "http://127.0.0.1:\(away)" : collector.url
        ])
        configuration.batching.scheduleDelayMilliseconds = 10
        configuration.batching.maxQueueSize = 300
        configuration.batching.maxExportBatchSize = 50
        configuration.retry.initialDelayMilliseconds = 5
        configuration.retry.maxDelayMilliseconds = 10
        configuration.retry.maxAttempts = 2
        configuration.changeTargets { $0.timeoutMilliseconds = 100 }
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        let tracer = pipeline.telemetry(for: "orders").tracer
        for _ in 0..<2_000 { tracer.startSpan("x").end() }
        await pipeline.shutdown(timeoutSeconds: 2)
        let metrics = pipeline.processMetrics
        let accepted = sum(metrics, #"otel_sdk_processor_span_processed_total{error_type="","#)
        #expect(sum(metrics, "otel_sdk_processor_span_processed_total{") == 2_000)
        // The task that was stopped may still be counting what it held.
        #expect(await eventually { sum(metrics, "otel_sdk_exporter_span_exported_total{") == accepted })
        let taken = sum(metrics, #"otel_sdk_exporter_span_exported_total{error_type="","#)
        switch behaviour {
        case .takes, .talksNonsense: #expect(taken == accepted)
        case .isSlow: #expect(taken > 0)
        default: #expect(taken == 0)
        }
        await collector.stop()
        group.shutdown()
        _ = output
    }
}
