import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

@testable import TelemetryExport

/// A collector that asks to be left alone is: by what it refused, by what comes after it, and by what waits on disk.
@Suite struct RetryAfterTests {
    private static let folderName = "otlp_http_span_exporter-0"

    private func count(_ pipeline: TelemetryPipeline, _ errorType: String) -> Double {
        let text = String(
            decoding: MetricsExposition.render(pipeline.processMetrics, format: .fallback), as: UTF8.self)
        return text.split(separator: "\n").filter {
            $0.hasPrefix("otel_sdk_exporter_span_exported_total{error_type=\"\(errorType)\"")
        }.reduce(0) { sum, line in sum + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0) }
    }

    /// Runs a pipeline against a collector that answers each request with a status and perhaps a `Retry-After`, and tells
    /// when each came, in nanoseconds.
    private func run(
        spool: TemporaryFolder? = nil,
        answer: @escaping @Sendable (_ number: Int) -> (status: Int, retryAfter: String?),
        change: (inout ExportConfiguration) -> Void,
        _ body: (_ pipeline: TelemetryPipeline, _ times: @escaping @Sendable () -> [UInt64]) async throws -> Void
    ) async throws {
        let times = Times()
        let collector = try await FakeCollector { number in
            times.come()
            let (status, retryAfter) = answer(number)
            var headers = HTTPFields()
            if let retryAfter { headers.set("Retry-After", retryAfter) }
            return HTTPResponse(status: HTTPStatus(status), headers: headers, body: .empty)
        }
        var configuration = ExportConfiguration(values: ["OTEL_EXPORTER_OTLP_ENDPOINT": collector.url])
        configuration.spoolFolder = spool?.path
        configuration.batching.scheduleDelayMilliseconds = 10
        configuration.retry.initialDelayMilliseconds = 10
        configuration.retry.maxDelayMilliseconds = 20
        change(&configuration)
        let group = EventLoopGroup(count: 1)
        let output = TestPipe()
        let pipeline = TelemetryPipeline(configuration: configuration, group: group, output: output.writing)
        await pipeline.start()
        try await body(pipeline) { times.all }
        await pipeline.shutdown(timeoutSeconds: 4)
        await collector.stop()
        group.shutdown()
        _ = output
    }

    private final class Times: Sendable {
        private let times = Mutex<[UInt64]>([])
        func come() { times.withLock { $0.append(TelemetryClock.system.monotonicNanoseconds()) } }
        var all: [UInt64] { times.withLock { $0 } }
    }

    @Test func whatGoesToDiskMeanwhileAsksForNothing() async throws {
        let folder = TemporaryFolder()
        try await run(spool: folder) { _ in
            (429, "3600")
        } change: {
            $0.retry.maxAttempts = 1
        } _: { pipeline, times in
            let tracer = pipeline.telemetry(for: "orders").tracer
            for round in 1...4 {
                for _ in 0..<10 { tracer.startSpan("x").end() }
                #expect(
                    await eventually {
                        folder.names(Self.folderName).count { $0.hasSuffix("-10.otlp") } >= round
                    })
            }
            for _ in 0..<10 { tracer.startSpan("at the end").end() }
            await pipeline.shutdown(timeoutSeconds: 4)
            #expect(folder.names(Self.folderName).count { $0.hasSuffix("-10.otlp") } == 5)
            #expect(times().count == 1)
            #expect(count(pipeline, "") == 0 && count(pipeline, "429") == 0)
        }
    }

    @Test func whatIsOnDiskWaitsForTheTimeAndThenGoes() async throws {
        let folder = TemporaryFolder()
        try await run(spool: folder) { number in
            number == 1 ? (503, "1") : (200, nil)
        } change: {
            $0.retry.maxAttempts = 1
        } _: { pipeline, times in
            let tracer = pipeline.telemetry(for: "orders").tracer
            for _ in 0..<10 { tracer.startSpan("x").end() }
            #expect(await eventually { folder.names(Self.folderName).count { $0.hasSuffix("-10.otlp") } == 1 })
            tracer.startSpan("after").end()
            #expect(await eventually { count(pipeline, "") == 11 })
            let arrived = times()
            #expect(arrived.count >= 2 && arrived[1] - arrived[0] >= 990_000_000)
        }
    }

    @Test func theNextMessageWaitsToo() async throws {
        try await run { number in
            number == 1 ? (429, "1") : (200, nil)
        } change: {
            $0.retry.maxAttempts = 1
        } _: { pipeline, times in
            let tracer = pipeline.telemetry(for: "orders").tracer
            tracer.startSpan("x").end()
            #expect(await eventually { count(pipeline, "429") == 1 })
            tracer.startSpan("y").end()
            #expect(await eventually { count(pipeline, "") == 1 })
            let arrived = times()
            #expect(arrived.count == 2 && arrived[1] - arrived[0] >= 990_000_000)
        }
    }

    @Test(arguments: ["0", "Thu, 01 Jan 1970 00:00:05 GMT"])
    func askingForNoPatienceLeavesTheBackOff(retryAfter: String) async throws {
        try await run { number in
            number <= 3 ? (429, retryAfter) : (200, nil)
        } change: {
            $0.retry.initialDelayMilliseconds = 100
            $0.retry.maxDelayMilliseconds = 400
        } _: { pipeline, times in
            pipeline.telemetry(for: "orders").tracer.startSpan("x").end()
            #expect(await eventually { count(pipeline, "") == 1 })
            let arrived = times()
            try #require(arrived.count == 4)
            // At least the lower half of each delay: 100, 200 and 400 ms.
            for (index, least) in [50, 100, 200].enumerated() {
                #expect(arrived[index + 1] - arrived[index] >= UInt64(least) * 990_000)
            }
        }
    }
}

@Suite struct RetryGateTests {
    private let clock = ManualClock()

    private func gate(hasSpool: Bool) -> RetryGate {
        RetryGate(RetryPolicy(), hasSpool: hasSpool, clock: .manual(clock))
    }

    @Test func itStaysClosedForAsLongAsWasAskedFor() {
        let gate = gate(hasSpool: false)
        #expect(gate.millisecondsLeft == 0)
        let (delay, asked) = gate.close(attempt: 1, retryAfter: "20")
        #expect(delay == 20_000 && asked == 20_000)
        clock.advance(nanoseconds: 19_999_000_000)
        #expect(gate.millisecondsLeft == 1)
        clock.advance(nanoseconds: 1_000_000)
        #expect(gate.millisecondsLeft == 0)
        // The wall clock has no part in it.
        _ = gate.close(attempt: 1, retryAfter: "20")
        clock.stepWall(toNanoseconds: 5)
        #expect(gate.millisecondsLeft == 20_000)
    }

    @Test func aShorterWaitEndsNoLongerOne() {
        let gate = gate(hasSpool: true)
        _ = gate.close(attempt: 1, retryAfter: "60")
        _ = gate.close(attempt: 1, retryAfter: nil)
        #expect(gate.millisecondsLeft == 60_000)
    }

    @Test func delaysGrowFromOneMessageToTheNextWhereEachHasOneAttempt() {
        let gate = gate(hasSpool: true)
        for range in [500...1_000, 1_000...2_000, 2_000...4_000, 4_000...5_000, 5_000...5_000] {
            gate.failed()
            let (delay, asked) = gate.close(attempt: 1, retryAfter: "0")
            #expect(range.contains(delay) && asked == 0 && gate.millisecondsLeft >= delay)
        }
        gate.answered()
        gate.failed()
        #expect((500...1_000).contains(gate.close(attempt: 1, retryAfter: nil).delay))
    }

    @Test func withoutASpoolOnlyWhatTheCollectorSaysHoldsForTheNextMessage() {
        let gate = gate(hasSpool: false)
        gate.failed()
        #expect((2_000...4_000).contains(gate.close(attempt: 3, retryAfter: nil).delay))
        #expect(gate.millisecondsLeft == 0)
    }
}
