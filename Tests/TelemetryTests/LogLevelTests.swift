import Telemetry
import TelemetryTesting
import Testing

@Suite struct LogLevelTests {
    static let detail = LogEvent("test.detail", level: .debug, help: "A detail.")
    static let plain = LogEvent("test.plain", help: "A line.")
    private let clock = ManualClock()
    private let capture: TelemetryCapture
    private var logger: Logger { capture.telemetry.logger }

    init() { capture = TelemetryCapture(serviceName: "orders", clock: clock, logLevel: .info) }

    private func messages() -> [String] { capture.logRecords.map(\.record.message) }

    @Test func levelOfOneLoggerCountsForItAndThoseBelow() {
        let saga = logger.named("processor.saga")
        #expect(logger.setLevel(.debug, of: "processor", forSeconds: 60))
        saga.log(Self.detail, "saga")
        logger.named("processor").log(Self.detail, "processor")
        logger.named("processors").log(Self.detail, "processors")
        logger.log(Self.detail, "orders")
        #expect(messages() == ["saga", "processor"])
        #expect(logger.setLevel(.error, of: "processor.saga", forSeconds: 60))
        saga.log(Self.plain, "the longer name counts")
        #expect(messages().count == 2)
    }

    @Test func rootCountsForAllThatHaveNoLevelOfTheirOwn() {
        let quiet = logger.named("quiet")
        #expect(logger.setLevel(.debug, of: LogLevelControl.rootName, forSeconds: 60))
        #expect(logger.setLevel(.error, of: "quiet", forSeconds: 60))
        logger.log(Self.detail, "shown")
        quiet.log(Self.plain, "hidden")
        #expect(messages() == ["shown"])
    }

    @Test func levelEndsByItselfAndTheLogSaysSo() {
        #expect(logger.setLevel(.debug, of: "orders", forSeconds: 60))
        clock.advance(nanoseconds: 59_000_000_000)
        logger.log(Self.detail, "in time")
        #expect(logger.levelOverrides().map(\.secondsLeft) == [1])
        clock.advance(nanoseconds: 1_000_000_000)
        // The line that finds the time over may still come; the next one does not.
        logger.log(Self.plain, "any line")
        logger.log(Self.detail, "too late")
        #expect(messages().contains("any line"))
        #expect(!messages().contains("too late"))
        #expect(capture.logLines.contains { $0.contains("telemetry.log_level_restored") })
        #expect(logger.levelOverrides().isEmpty)
    }

    @Test func stepOfTheWallClockNeitherEndsNorProlongsALevel() {
        #expect(logger.setLevel(.debug, of: "orders", forSeconds: 60))
        clock.stepWall(toNanoseconds: clock.wallNanoseconds + 600_000_000_000)
        logger.log(Self.detail, "still")
        clock.stepWall(toNanoseconds: clock.wallNanoseconds - 1_200_000_000_000)
        clock.advance(nanoseconds: 61_000_000_000)
        logger.log(Self.plain, "any line")
        logger.log(Self.detail, "over")
        #expect(messages().contains("still"))
        #expect(!messages().contains("over"))
    }

    @Test func numberOfOverridesIsBounded() {
        for index in 0..<LogLevelControl.maxOverrides {
            #expect(logger.setLevel(.debug, of: "logger\(index)", forSeconds: 60))
        }
        #expect(!logger.setLevel(.debug, of: "one too many", forSeconds: 60))
        #expect(logger.setLevel(.error, of: "logger0", forSeconds: 60))
        #expect(logger.level.removeOverride("logger1"))
        #expect(!logger.level.removeOverride("logger1"))
        #expect(logger.setLevel(.debug, of: "fits now", forSeconds: 60))
    }

    @Test func nothingIsMadeBelowTheLevel() {
        var made = 0
        func message() -> String {
            made += 1
            return "made"
        }
        logger.log(Self.detail, message(), [Attribute(AttributeKey("labels.made"), .string(message()))])
        #expect(made == 0)
    }
}

@Suite struct LogRepeatTests {
    static let failed = LogEvent("test.failed", level: .warn, help: "Something failed.")
    static let audit = LogEvent("test.audit", level: .warn, help: "Every one counts.", maxRepeatsPerSecond: 0)
    static let limited = LogEvent("test.limited", help: "Limited, though harmless.", maxRepeatsPerSecond: 2)
    private let clock = ManualClock()
    private let capture: TelemetryCapture
    private var logger: Logger { capture.telemetry.logger }

    init() { capture = TelemetryCapture(clock: clock) }

    @Test func equalLinesAreLimitedCountedAndToldOf() {
        for _ in 0..<1_000 { logger.log(Self.failed, "the database has gone") }
        #expect(capture.logLines.count == LogEvent.usualRepeatsPerSecond)
        let left = Double(1_000 - LogEvent.usualRepeatsPerSecond)
        #expect(capture.value(#"telemetry_log_lines_suppressed_total{level="warn"}"#) == left)
        clock.advance(nanoseconds: 1_000_000_000)
        logger.log(Self.limited, "any line")
        let report = capture.logRecords.first { $0.record.event.name == "telemetry.log_repeated" }
        #expect(report?.record.message == "990 more of: the database has gone")
        #expect(report?.fields.contains { $0.value == .int(990) } == true)
        // A new second, a new count; and nothing is told twice.
        logger.log(Self.failed, "the database has gone")
        clock.advance(nanoseconds: 2_000_000_000)
        logger.log(Self.limited, "any line")
        #expect(capture.logLines.count { $0.contains("log_repeated") } == 1)
        #expect(capture.logLines.count { $0.contains("\"message\":\"the database has gone\"") } == 11)
    }

    @Test func linesThatDifferInAFieldAreNotEqual() {
        for index in 0..<100 {
            logger.log(Self.failed, "failed", [Attribute(AttributeKey("labels.order_id"), .int(index))])
        }
        #expect(capture.logLines.count == 100)
    }

    @Test func eventMayLimitItselfOrNotAtAll() {
        for _ in 0..<100 {
            logger.log(Self.audit, "same")
            logger.log(Self.limited, "same")
        }
        #expect(capture.logLines(event: Self.audit).count == 100)
        #expect(capture.logLines(event: Self.limited).count == 2)
    }

    @Test func moreKindsThanPlacesLoseNoCount() {
        // Each kind far beyond its limit, more kinds than the table holds.
        for _ in 0..<20 { for kind in 0..<1_000 { logger.log(Self.failed, "kind \(kind)") } }
        clock.advance(nanoseconds: 2_000_000_000)
        logger.reportRepeats()
        let written = capture.logLines(event: Self.failed).count
        let suppressed = capture.value(#"telemetry_log_lines_suppressed_total{level="warn"}"#) ?? 0
        #expect(Double(written) + suppressed == 20_000)
    }

    @Test func linesOfOneSlotAreLimitedEach() {
        let limiter = RepeatLimiter()
        var written = 0
        func log(_ kind: Int, times: Int, now: UInt64) {
            for _ in 0..<times where limiter.admits(kind << 32, Self.failed, "kind \(kind)", now: now).isWritten {
                written += 1
            }
        }
        // Four kinds take turns: none takes another's place.
        for _ in 0..<100 { for kind in 0..<4 { log(kind, times: 1, now: 5) } }
        #expect(written == 4 * LogEvent.usualRepeatsPerSecond)
        // In the next second three are noisy; what is new takes the place of the quiet one.
        written = 0
        for kind in 0..<3 { log(kind, times: 50, now: 2_000_000_000) }
        for kind in 3..<20 { log(kind, times: 1, now: 2_000_000_000) }
        for kind in 0..<3 { log(kind, times: 50, now: 2_000_000_000) }
        #expect(written == 3 * LogEvent.usualRepeatsPerSecond + 17)
        // An ended window makes place before one that is under way, however noisy it was.
        written = 0
        log(3, times: 20, now: 2_900_000_000)
        log(30, times: 1, now: 3_500_000_000)
        log(31, times: 1, now: 3_500_000_000)
        log(3, times: 20, now: 3_500_000_000)
        #expect(written == LogEvent.usualRepeatsPerSecond + 2)
        let told = limiter.takeReports(.max).reports.reduce(0) { $0 + $1.suppressed }
        #expect(told == 4 * 90 + 3 * 90 + 30)
    }

    @Test func endOfTheLogTellsOfWhatIsOpen() {
        for _ in 0..<11 { logger.log(Self.failed, "again") }
        logger.reportRepeats()
        #expect(capture.logLines.last?.contains("1 more of: again") == true)
    }
}
