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
