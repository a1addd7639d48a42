import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct LogDetailsTests {
    static let detail = LogEvent("test.detail", level: .debug, help: "A detail.")
    static let plain = LogEvent("test.plain", help: "A line.")

    private func inRequest(_ capture: TelemetryCapture, isNotable: Bool, _ body: (Logger) -> Void) {
        let logger = capture.telemetry.logger
        let context = TelemetryContext(requestID: "r-1", details: logger.makeDetails())
        TelemetryContext.$current.withValue(context) {
            body(logger)
            guard let details = context.details else { return }
            logger.finishDetails(details, hasFailed: isNotable, durationNanoseconds: 1)
        }
    }

    @Test func detailsOfAFailedRequestAreWrittenInOrderWithItsContext() {
        let capture = TelemetryCapture(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 16 * 1024, slowMilliseconds: 100))
        inRequest(capture, isNotable: true) { logger in
            logger.log(Self.detail, "first")
            logger.named("db").log(Self.detail, "second")
            logger.log(Self.plain, "plain")
        }
        let lines = capture.logLines
        #expect(lines.count == 3)
        #expect(lines[0].contains("\"message\":\"plain\"") && !lines[0].contains("retroactive"))
        for (line, message) in zip(lines[1...], ["first", "second"]) {
            #expect(line.contains("\"message\":\"\(message)\""))
            #expect(line.contains("\"tags\":[\"retroactive\"]"))
            #expect(line.contains("\"http.request.id\":\"r-1\""))
        }
        #expect(lines[2].contains("\"log.logger\":\"db\""))
    }

    @Test(arguments: [true, false])
    func recordsOfDetailsFollowTheirLines(hasLines: Bool) throws {
        let policy = LogDetailsPolicy(maxBytes: 4 * 1024, slowMilliseconds: 100)
        let records = RecordMemory()
        let lines = LineCount()
        let logger = Telemetry(
            resource: ServiceResource(name: "orders"), sampler: .alwaysOn, spanSink: nil,
            logSink: hasLines ? lines : nil, logLevel: LogLevelControl(.info), logRecordSink: records,
            logDetails: policy
        ).logger
        func request(hasFailed: Bool, _ body: () -> Void) {
            let context = TelemetryContext(requestID: "r-1", details: logger.makeDetails())
            TelemetryContext.$current.withValue(context) {
                body()
                if let details = context.details {
                    logger.finishDetails(details, hasFailed: hasFailed, durationNanoseconds: 1)
                }
            }
        }
        request(hasFailed: false) { logger.log(Self.detail, "forgotten") }
        #expect(records.all.isEmpty)
        request(hasFailed: true) {
            logger.log(Self.detail, "mail to ann@shop.example", [Attribute(AttributeKey("count"), 3)])
            logger.log(Self.plain, "plain")
        }
        #expect(records.all.map(\.record.message) == ["plain", "mail to [redacted]"])
        let kept = try #require(records.all.last)
        #expect(kept.record.event == Self.detail && kept.record.context.requestID == "r-1")
        // What waits holds no context that holds it: nobody would let go of either.
        #expect(kept.record.context.details == nil)
        #expect(
            kept.fields == [
                Attribute(AttributeKey("count"), 3), Attribute(AttributeKey("tags"), .strings(["retroactive"])),
            ])
        #expect(lines.count == (hasLines ? 2 : 0))
        // As bounded as the lines, and as many.
        records.removeAll()
        request(hasFailed: true) {
            for index in 0..<100 { logger.log(Self.detail, "line \(index)") }
            logger.log(Self.detail, "x", [Attribute(AttributeKey("a"), .strings((0..<100).map { "\($0)" }))])
        }
        #expect((5..<20).contains(records.all.count))
        #expect(!hasLines || lines.count == 2 + records.all.count)
        #expect(records.all.last?.record.message == "x")
    }

    @Test func detailsOfAGoodRequestAreForgotten() {
        let capture = TelemetryCapture(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 16 * 1024, slowMilliseconds: 100))
        inRequest(capture, isNotable: false) { $0.log(Self.detail, "forgotten") }
        capture.telemetry.logger.log(Self.detail, "outside of any request")
        #expect(capture.logLines.isEmpty)
    }

    @Test func lastLinesStayAndTheRestIsCounted() {
        let capture = TelemetryCapture(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 4 * 1024, slowMilliseconds: 100))
        inRequest(capture, isNotable: true) { logger in
            for index in 0..<100 { logger.log(Self.detail, "line \(index)") }
            logger.log(Self.detail, String(repeating: "x", count: 8_000))
        }
        let kept = capture.logLines.count
        #expect(kept > 5 && kept < 20)
        #expect(capture.logLines.last?.contains("\"message\":\"line 99\"") == true)
        #expect(capture.logLines.first?.contains("\"message\":\"line \(100 - kept)\"") == true)
        #expect(capture.value("telemetry_log_details_dropped_total") == Double(101 - kept))
    }

    @Test func allRequestsTogetherAreBounded() {
        let capture = TelemetryCapture(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 1024 * 1024, slowMilliseconds: 100))
        let logger = capture.telemetry.logger
        var requests: [TelemetryContext] = []
        for index in 0..<20 {
            let context = TelemetryContext(requestID: "r-\(index)", details: logger.makeDetails())
            TelemetryContext.$current.withValue(context) { logger.log(Self.detail, "x") }
            requests.append(context)
        }
        for context in requests {
            if let details = context.details {
                logger.finishDetails(details, hasFailed: false, durationNanoseconds: 100_000_000)
            }
        }
        let written = capture.logLines.count
        #expect(written > 0 && written <= 8)
        #expect(capture.value("telemetry_log_details_dropped_total") == Double(20 - written))
        // What ends gives its room back.
        requests = []
        inRequest(capture, isNotable: true) { $0.log(Self.detail, "room again") }
        #expect(capture.logLines.count == written + 1)
    }

    @Test func nothingIsMadeWhenDetailsAreOff() {
        let capture = TelemetryCapture(logLevel: .info)
        #expect(capture.telemetry.logger.makeDetails() == nil)
        inRequest(capture, isNotable: true) { logger in
            logger.log(
                Self.detail,
                {
                    Issue.record("made")
                    return ""
                }())
        }
        #expect(capture.logLines.isEmpty)
    }
}

private final class RecordMemory: LogRecordSink {
    private let records = Mutex<[(record: LogRecord, fields: [Attribute])]>([])
    var all: [(record: LogRecord, fields: [Attribute])] { records.withLock { $0 } }

    func record(_ record: LogRecord, _ fields: borrowing Swift.Span<Attribute>) {
        var copy: [Attribute] = []
        for index in 0..<fields.count { copy.append(fields[index]) }
        records.withLock { [copy] in $0.append((record, copy)) }
    }

    func removeAll() { records.withLock { $0 = [] } }
}

private final class LineCount: LogSink {
    private let lines = Atomic<Int>(0)
    var count: Int { lines.load(ordering: .relaxed) }
    func write(_ line: UnsafeRawBufferPointer) { lines.wrappingAdd(1, ordering: .relaxed) }
}
