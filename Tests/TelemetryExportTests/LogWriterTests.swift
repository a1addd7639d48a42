import Glibc
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@testable import TelemetryExport

@Suite struct LogWriterTests {
    static let event = LogEvent("test.line", help: "A line of a test.")
    private let metrics = MetricRegistry()

    private func telemetry(_ writer: LogWriter) -> Telemetry {
        Telemetry(resource: ServiceResource(name: "test"), spanSink: nil, logSink: writer)
    }

    /// The messages of complete lines.
    private func messages(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line -> String? in
            guard let key = line.firstRange(of: "\"message\":\"") else { return nil }
            return String(line.suffix(from: key.upperBound).prefix { $0 != "\"" })
        }
    }

    @Test func linesArriveWholeInOrderAndAreFlushedAtTheEnd() async {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        for index in 0..<100 { telemetry.logger.log(Self.event, "line \(index)") }
        await writer.shutdown(timeoutMilliseconds: 5_000)
        #expect(messages(pipe.read()) == (0..<100).map { "line \($0)" })
        #expect(metrics.value(#"telemetry_log_lines_dropped_total{destination="stdout",reason="buffer_full"}"#) == 0)
    }

    @Test func idleWriterIsWokenByTheNextLine() async throws {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        try await Task.sleep(nanoseconds: 50_000_000)
        telemetry.logger.log(Self.event, "woken")
        var text = ""
        #expect(
            await eventually {
                text += pipe.read()
                return text.contains("woken")
            })
        await writer.shutdown(timeoutMilliseconds: 1_000)
    }

    @Test func quietProcessHasNoWakeUpsAndABusyOneFew() async throws {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        telemetry.logger.log(Self.event, "one")
        // Long enough for the line, the rest after it, and the look around before sleep.
        try await Task.sleep(nanoseconds: 300_000_000)
        let quiet = writer.turns
        #expect(quiet > 0)
        try await Task.sleep(nanoseconds: 600_000_000)
        #expect(writer.turns == quiet)
        let start = TelemetryClock.system.monotonicNanoseconds()
        var lines = 0
        while TelemetryClock.system.monotonicNanoseconds() - start < 500_000_000 {
            telemetry.logger.log(Self.event, "busy")
            lines += 1
            if lines % 100 == 0 { _ = pipe.read() }
            usleep(100)
        }
        let rests =
            (TelemetryClock.system.monotonicNanoseconds() - start) / 1_000_000 / UInt64(LogWriter.restMilliseconds)
        let busy = writer.turns - quiet
        #expect(busy > 0)
        #expect(busy <= Int(rests) + 5)
        #expect(lines > busy * 5)
        await writer.shutdown(timeoutMilliseconds: 1_000)
    }

    @Test func sharedPipeKeepsItsFlags() async {
        let pipe = TestPipe()
        let before = fcntl(pipe.writing, F_GETFL)
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        telemetry.logger.log(Self.event, "one")
        #expect(await eventually { pipe.read().contains("one") })
        #expect(fcntl(pipe.writing, F_GETFL) == before)
        #expect(before & O_NONBLOCK == 0)
        await writer.shutdown(timeoutMilliseconds: 1_000)
    }

    @Test func socketThatIsNeverReadCostsLinesAndNeverTime() async {
        var ends: [Int32] = [-1, -1]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let writer = LogWriter(output: ends[1], shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        let text = String(repeating: "x", count: 8_000)
        for _ in 0..<1_000 { telemetry.logger.log(Self.event, text) }
        await writer.shutdown(timeoutMilliseconds: 100)
        let lost = ["all", "stdout"].compactMap {
            metrics.value("telemetry_log_lines_dropped_total{destination=\"\($0)\",reason=\"buffer_full\"}")
        }
        #expect(lost.reduce(0, +) > 0)
    }

    @Test func fullDiskIsCountedByItsName() async {
        let full = open("/dev/full", O_WRONLY)
        defer { close(full) }
        let writer = LogWriter(output: full, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        for _ in 0..<10 { telemetry.logger.log(Self.event, "lost") }
        await writer.shutdown(timeoutMilliseconds: 1_000)
        #expect(metrics.value(#"telemetry_log_lines_dropped_total{destination="stdout",reason="disk_full"}"#) == 10)
    }

    @Test func linesToAFileAreAllThere() async throws {
        var path = Array("\(P_tmpdir)/vitrine-log-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        defer {
            close(file)
            unlink(path)
        }
        let writer = LogWriter(output: file, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        for index in 0..<5_000 { telemetry.logger.log(Self.event, "line \(index)") }
        await writer.shutdown(timeoutMilliseconds: 10_000)
        lseek(file, 0, SEEK_SET)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while case let count = read(file, &chunk, chunk.count), count > 0 { text += chunk[..<count] }
        #expect(messages(String(decoding: text, as: UTF8.self)) == (0..<5_000).map { "line \($0)" })
    }

    @Test func fullPipeCostsLinesAndNeverTime() async throws {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        let text = String(repeating: "x", count: 8_000)
        let clock = TelemetryClock.system
        var longest: UInt64 = 0
        // Twelve times what all queues together take, in steps so that the writer can keep its buffers free.
        for _ in 0..<6_000 {
            let start = clock.monotonicNanoseconds()
            telemetry.logger.log(Self.event, text)
            longest = max(longest, clock.monotonicNanoseconds() - start)
        }
        let full = #"telemetry_log_lines_dropped_total{destination="stdout",reason="buffer_full"}"#
        let before = #"telemetry_log_lines_dropped_total{destination="all",reason="buffer_full"}"#
        #expect(await eventually { (metrics.value(full) ?? 0) + (metrics.value(before) ?? 0) > 4_000 })
        // A blocked writer would have stopped this thread for good: the pipe is read only now.
        #expect(longest < 5_000_000_000)
        let waiting = metrics.value(#"telemetry_log_queue_bytes{destination="stdout"}"#) ?? 0
        #expect(waiting <= Double(LogWriter.queueBytes))
        var received = ""
        let drain = Task { await writer.shutdown(timeoutMilliseconds: 10_000) }
        #expect(
            await eventually {
                received += pipe.read()
                return metrics.value(#"telemetry_log_queue_bytes{destination="stdout"}"#) == 0
            })
        await drain.value
        received += pipe.read()
        let lost = (metrics.value(full) ?? 0) + (metrics.value(before) ?? 0)
        let arrived = received.split(separator: "\n")
        #expect(arrived.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(Double(arrived.count) + lost == 6_000)
    }

    @Test func blockedOutputDoesNotHoldTheShutdown() async {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        for _ in 0..<200 { telemetry.logger.log(Self.event, String(repeating: "x", count: 8_000)) }
        await writer.shutdown(timeoutMilliseconds: 100)
        let lost = metrics.value(#"telemetry_log_lines_dropped_total{destination="stdout",reason="buffer_full"}"#) ?? 0
        #expect(lost > 0)
    }

    @Test func closedOutputIsSurvivedAndCounted() async {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0)
        close(ends[0])
        let writer = LogWriter(output: ends[1], shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        for _ in 0..<10 { telemetry.logger.log(Self.event, "lost") }
        await writer.shutdown(timeoutMilliseconds: 1_000)
        close(ends[1])
        #expect(metrics.value(#"telemetry_log_lines_dropped_total{destination="stdout",reason="closed"}"#) == 10)
    }

    @Test func writerThatWasNeverStartedStillFlushesAndEnds() async {
        let pipe = TestPipe()
        let writer = LogWriter(output: pipe.writing, shipper: nil, metrics: metrics)
        let telemetry = telemetry(writer)
        telemetry.logger.log(Self.event, "early")
        await writer.shutdown(timeoutMilliseconds: 1_000)
        await writer.shutdown(timeoutMilliseconds: 1_000)
        #expect(messages(pipe.read()) == ["early"])
        telemetry.logger.log(Self.event, "late")
        #expect(
            metrics.value(#"telemetry_log_lines_dropped_total{destination="all",reason="already_shutdown"}"#) == 1)
    }

    // MARK: Logstash

    @Test func linesReachLogstashAndSurviveItsRestart() async throws {
        let pipe = TestPipe()
        var listener: TestListener? = TestListener()
        let port = try #require(listener?.port)
        let shipper = LogstashShipper(address: try #require(HostAndPort("127.0.0.1:\(port)")), metrics: metrics)
        let writer = LogWriter(output: pipe.writing, shipper: shipper, metrics: metrics)
        let telemetry = telemetry(writer)
        shipper.report(to: telemetry.logger)
        writer.start()
        telemetry.logger.log(Self.event, "first")
        var connection: TestConnection?
        var received = ""
        #expect(
            await eventually {
                if connection == nil { connection = listener?.accept() }
                received += connection?.read() ?? ""
                return received.contains("first")
            })
        #expect(metrics.value("telemetry_logstash_connected") == 1)
        // Logstash goes away for a while.
        listener = nil
        connection = nil
        #expect(await eventually { metrics.value("telemetry_logstash_connected") == 0 })
        #expect(
            await eventually {
                (metrics.value(#"telemetry_logstash_connects_total{outcome="failure"}"#) ?? 0) > 0
            })
        for index in 0..<20 { telemetry.logger.log(Self.event, "while away \(index)") }
        listener = TestListener(port: port)
        received = ""
        #expect(
            await eventually {
                if connection == nil { connection = listener?.accept() }
                received += connection?.read() ?? ""
                return received.contains("while away 19")
            })
        #expect(messages(received).filter { $0.hasPrefix("while away") } == (0..<20).map { "while away \($0)" })
        await writer.shutdown(timeoutMilliseconds: 2_000)
        let text = pipe.read()
        #expect(text.contains("telemetry.logstash_unreachable"))
        #expect(text.contains("while away 19"))
        #expect(metrics.value(#"telemetry_log_lines_dropped_total{destination="logstash",reason="buffer_full"}"#) == 0)
    }

    @Test func logstashThatNeverReadsCostsLinesOnlyThere() async throws {
        let pipe = TestPipe()
        let listener = TestListener()
        let address = try #require(HostAndPort("127.0.0.1:\(listener.port)"))
        let shipper = LogstashShipper(address: address, metrics: metrics)
        let writer = LogWriter(output: pipe.writing, shipper: shipper, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        let reader = PipeReader(pipe)
        // More than the queue and the kernel's socket buffers take.
        let text = String(repeating: "x", count: 8_000)
        for _ in 0..<60 {
            for _ in 0..<100 { telemetry.logger.log(Self.event, text) }
            #expect(await eventually { metrics.value(#"telemetry_log_queue_bytes{destination="stdout"}"#) == 0 })
        }
        let dropped = #"telemetry_log_lines_dropped_total{destination="logstash",reason="buffer_full"}"#
        #expect(await eventually { (metrics.value(dropped) ?? 0) > 0 })
        let waiting = metrics.value(#"telemetry_log_queue_bytes{destination="logstash"}"#) ?? 0
        #expect(waiting <= Double(LogstashShipper.queueBytes))
        await writer.shutdown(timeoutMilliseconds: 2_000)
        let lines = await reader.finish()
        let lost = ["all", "stdout"].reduce(0.0) { sum, destination in
            let series = "telemetry_log_lines_dropped_total{destination=\"\(destination)\",reason=\"buffer_full\"}"
            return sum + (metrics.value(series) ?? 0)
        }
        #expect(Double(lines) + lost == 6_000)
        _ = listener
    }

    @Test func cutLineIsSentAgainWhole() async throws {
        let listener = TestListener()
        let address = try #require(HostAndPort("127.0.0.1:\(listener.port)"))
        let pipe = TestPipe()
        let shipper = LogstashShipper(address: address, metrics: metrics)
        let writer = LogWriter(output: pipe.writing, shipper: shipper, metrics: metrics)
        let telemetry = telemetry(writer)
        writer.start()
        let reader = PipeReader(pipe)
        // The kernel takes a part of a line; then the connection breaks.
        for index in 0..<800 {
            telemetry.logger.log(Self.event, "line \(index) " + String(repeating: "x", count: 8_000))
            if index % 100 == 99 {
                #expect(await eventually { metrics.value(#"telemetry_log_queue_bytes{destination="stdout"}"#) == 0 })
            }
        }
        var first: TestConnection?
        #expect(
            await eventually {
                if first == nil { first = listener.accept() }
                return first != nil
            })
        _ = first?.read(atMost: 1_000)
        first = nil
        var second: TestConnection?
        var received = ""
        #expect(
            await eventually {
                if second == nil { second = listener.accept() }
                received += second?.read() ?? ""
                return received.contains("line 799 ")
            })
        #expect(received.hasPrefix("{\"@timestamp\""))
        await writer.shutdown(timeoutMilliseconds: 2_000)
        _ = await reader.finish()
    }
}

/// Reads a pipe on a task and counts lines, so that the writer is never blocked by it.
final class PipeReader: Sendable {
    private let task: Task<Void, Never>
    private let count: Count

    private final class Count: Sendable {
        let lines = Atomic<Int>(0)
    }

    /// Lines so far.
    var lines: Int { count.lines.load(ordering: .relaxed) }

    init(_ pipe: sending TestPipe) {
        let pipe = Sending(pipe)
        let count = Count()
        self.count = count
        task = Task {
            while true {
                let text = pipe.value.read()
                count.lines.add(text.utf8.count { $0 == UInt8(ascii: "\n") }, ordering: .relaxed)
                if text.isEmpty {
                    if Task.isCancelled { return }
                    try? await Task.sleep(nanoseconds: 1_000_000)
                }
            }
        }
    }

    func finish() async -> Int {
        task.cancel()
        await task.value
        return lines
    }

    // Safety: after `init` only the task touches the pipe's reading end.
    private struct Sending: @unchecked Sendable {
        let value: TestPipe
        init(_ value: TestPipe) { self.value = value }
    }
}
