import EventLoop
import Glibc
import Synchronization
import Telemetry
import TelemetryExport
import TelemetryTesting
import Testing

/// Each crash happens in a process of its own, whose standard error is read afterwards.
@Suite struct CrashTests {
    static let event = LogEvent("test.line", help: "A line of a test.")
    static let traceID = "0123456789abcdef0123456789abcdef"
    static let spanID = "0123456789abcdef"

    /// Telemetry as a process has it, its log on standard error, too.
    static func report() async -> Telemetry {
        let pipeline = TelemetryPipeline(
            configuration: ExportConfiguration(), group: EventLoopGroup(count: 1), output: STDERR_FILENO)
        let telemetry = pipeline.telemetry(for: "orders")
        await pipeline.start()
        pipeline.reportCrashes(as: "orders")
        return telemetry
    }

    static func inTrace(_ body: () -> Void) {
        let span = SpanContext(
            traceID: TraceID(hex: traceID) ?? TraceID(high: 0, low: 0), spanID: SpanID(hex: spanID) ?? SpanID(0),
            isSampled: true)
        TelemetryContext.$current.withValue(TelemetryContext(span: span), operation: body)
    }

    /// The crash line as a real JSON parser reads it.
    private func crashLine(_ errors: [UInt8]) throws -> [String: String] {
        let text = String(decoding: errors, as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.contains("process.crashed") }
        #expect(lines.count == 1, "\(text)")
        let program = """
            import sys, json
            line = json.loads(sys.stdin.buffer.read().decode("utf-8"))
            for key, value in line.items():
                print(key, str(value).replace("\\n", "|"), sep="\\t")
            """
        let result = try ChildProcess.python(program, input: Array((lines.first ?? "").utf8))
        #expect(result.status == 0, "\(result.errors)")
        let pairs = result.output.split(separator: "\n").map { row in
            let parts = row.split(separator: "\t", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        return Dictionary(pairs) { first, _ in first }
    }

    /// - Parameter frames: how deep at least the thread stood that the signal came to.
    private func check(_ line: [String: String], _ signal: String, frames least: Int = 4) {
        #expect(line["log.level"] == "fatal")
        #expect(line["error.type"] == signal)
        #expect(line["service.name"] == "orders")
        #expect(line["message"]?.hasPrefix(signal) == true)
        #expect(line["@timestamp"]?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
        #expect((line["labels.build_id"]?.count ?? 0) >= 16)
        #expect(Int(line["process.pid"] ?? "") != nil)
        let frames = (line["error.stack_trace"] ?? "").split(separator: "|")
        #expect(frames.count >= least, "\(frames)")
        #expect(frames.allSatisfy { $0.wholeMatch(of: /([^+]+\+)?0x[0-9a-f]+/) != nil }, "\(frames)")
    }

    @Test func wildPointerIsToldWithItsTraceAndTheLogIsFlushed() async throws {
        let result = try #require(
            await #expect(processExitsWith: .signal(SIGSEGV), observing: [\.standardErrorContent]) {
                let telemetry = await CrashTests.report()
                CrashTests.inTrace {
                    telemetry.logger.log(CrashTests.event, "the last line before")
                    // Safety: this is the crash that the test is about.
                    UnsafeMutablePointer<Int>(bitPattern: 0x10)?.pointee = 1
                }
            })
        let line = try crashLine(result.standardErrorContent)
        check(line, "SIGSEGV")
        #expect(line["message"]?.hasSuffix("0x10") == true)
        #expect(line["trace.id"] == Self.traceID)
        #expect(line["span.id"] == Self.spanID)
        #expect(String(decoding: result.standardErrorContent, as: UTF8.self).contains("the last line before"))
    }

    @Test func trapOfTheRuntimeIsTold() async throws {
        let result = try #require(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = await CrashTests.report()
                fatalError("as an overflow or a bad index would")
            })
        let text = String(decoding: result.standardErrorContent, as: UTF8.self)
        let line = try crashLine(result.standardErrorContent)
        check(line, text.contains("SIGTRAP") ? "SIGTRAP" : "SIGILL")
        #expect(line["trace.id"] == nil)
    }

    @Test func abortIsToldOnceAndStillAborts() async throws {
        let result = try #require(
            await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                _ = await CrashTests.report()
                abort()
            })
        check(try crashLine(result.standardErrorContent), "SIGABRT")
    }

    @Test func signalFromOutsideIsTold() async throws {
        let result = try #require(
            await #expect(processExitsWith: .signal(SIGBUS), observing: [\.standardErrorContent]) {
                _ = await CrashTests.report()
                kill(getpid(), SIGBUS)
                sleep(10)
            })
        let line = try crashLine(result.standardErrorContent)
        // The kernel chooses the thread; one that waits in libc has few frames that can be walked.
        check(line, "SIGBUS", frames: 1)
        #expect(line["message"]?.hasSuffix("sent by process \(line["process.pid"] ?? "?")") == true)
    }

    @Test func stackOverflowIsTold() async throws {
        let result = try #require(
            await #expect(processExitsWith: .signal(SIGSEGV), observing: [\.standardErrorContent]) {
                let telemetry = await CrashTests.report()
                @Sendable func descend(_ depth: Int) -> Int {
                    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { bytes in
                        bytes[depth & 4_095] = 1
                        return descend(depth + 1) + Int(bytes[0])
                    }
                }
                telemetry.logger.log(CrashTests.event, "this thread has a stack for its handlers")
                print(descend(0))
            })
        check(try crashLine(result.standardErrorContent), "SIGSEGV")
    }

    @Test func crashesOfManyThreadsAreOneLine() async throws {
        let result = try #require(
            await #expect(processExitsWith: .signal(SIGSEGV), observing: [\.standardErrorContent]) {
                let telemetry = await CrashTests.report()
                await withTaskGroup(of: Void.self) { group in
                    for index in 0..<8 {
                        group.addTask {
                            telemetry.logger.log(CrashTests.event, "thread \(index)")
                            UnsafeMutablePointer<Int>(bitPattern: 0x10)?.pointee = index
                        }
                    }
                }
            })
        check(try crashLine(result.standardErrorContent), "SIGSEGV")
    }

    @Test func readerThatHasStoppedDoesNotKeepTheProcess() async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            var ends: [Int32] = [-1, -1]
            precondition(pipe(&ends) == 0)
            _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
            let filling = [UInt8](repeating: 0x2E, count: 64 * 1024)
            while write(ends[1], filling, filling.count) > 0 {}
            _ = fcntl(ends[1], F_SETFL, 0)
            // Standard error is now a full pipe that nobody reads.
            dup2(ends[1], STDERR_FILENO)
            alarm(20)
            let telemetry = await CrashTests.report()
            telemetry.logger.log(CrashTests.event, "stuck")
            UnsafeMutablePointer<Int>(bitPattern: 0x10)?.pointee = 1
        }
    }
}
