import Configuration
import EventLoop
import HTTP
import HTTPCodec
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite struct LifecycleTests {
    /// Writes down what happens to it.
    private final class Recorder: Sendable {
        let events = Mutex<[String]>([])
        func note(_ event: String) { events.withLock { $0.append(event) } }
        var all: [String] { events.withLock { $0 } }
    }

    private struct Part: Component {
        let name: String
        let recorder: Recorder
        var failure: String?

        struct Failed: Error, CustomStringConvertible { let description: String }

        func start() async throws {
            if let failure { throw Failed(description: failure) }
            recorder.note("start \(name)")
        }
        func stop() async { recorder.note("stop \(name)") }
    }

    @Test func partsStartInOrderAndStopInReverse() async throws {
        let recorder = Recorder()
        try await TestService.run(build: { app in
            app.component(Part(name: "a", recorder: recorder))
            app.component(Part(name: "b", recorder: recorder))
        }) { (service: TestService) async throws in
            #expect(recorder.all == ["start a", "start b"])
            #expect(try await service.get("/health/ready").status == 200)
        }
        #expect(recorder.all == ["start a", "start b", "stop b", "stop a"])
    }

    @Test func aFailedStartUndoesWhatHadStarted() async throws {
        let recorder = Recorder()
        await #expect {
            try await TestService.run(build: { app in
                app.component(Part(name: "a", recorder: recorder))
                app.component(Part(name: "b", recorder: recorder, failure: "no disk"))
            }) { (_: TestService) in }
        } throws: { error in
            (error as? ServiceStartError)?.description == "shopfront cannot start: b: no disk"
        }
        #expect(recorder.all == ["start a", "stop a"])
    }

    @Test func aPortInUseIsSaidWithWhatToDo() async throws {
        try await TestService.run(build: { _ in }) { (service: TestService) async throws in
            let port = service.url.split(separator: ":").last.map(String.init) ?? ""
            await #expect {
                try await TestService.run(values: ["SHOPFRONT_PORT": port], build: { _ in }) { (_: TestService) in }
            } throws: { error in
                let text = (error as? ServiceStartError)?.description ?? ""
                return text.hasPrefix("shopfront cannot start: its port: ") && text.contains(port)
                    && text.hasSuffix("set SHOPFRONT_PORT to a free one")
            }
        }
    }

    @Test func everyMistakeOfTheConfigurationIsToldAtOnce() async throws {
        let services = ["one", "two"].map {
            ServiceDefinition(
                name: $0, summary: "", port: 0, database: "\($0)_db", usesRedis: true, usesBroker: true
            ) { app in
                _ = app.database
                _ = app.outbox
                _ = app.configuration.int("LIMIT", default: 1, in: 1...10)
            }
        }
        let values = ["JWT_SECRET": "short", "LIMIT": "eleven", "ONE_PORT": "99999"]
        let host = ServiceHost(services: services, values: values, group: TestService.group) {
            TelemetryCapture(serviceName: $0).telemetry
        }
        await #expect {
            try await host.start()
        } throws: { error in
            let problems = (error as? ConfigurationError)?.problems ?? []
            return Set(problems).count == problems.count && problems.count == 7
                && ["JWT_SECRET", "IDENTITY_SECRET", "LIMIT", "ONE_PORT", "DATABASE_URL", "REDIS_URL", "RABBITMQ_URL"]
                    .allSatisfy { name in problems.contains { $0.hasPrefix(name) } }
                && !problems.contains { $0.contains("short") && !$0.contains("bytes") }
        }
    }

    @Test func requestsUnderWayFinishBeforeTheServiceStops() async throws {
        let gate = Recorder()
        let capture = TelemetryCapture(serviceName: "slow")
        let definition = ServiceDefinition(name: "slow", summary: "", port: 0) { app in
            app.routes("") { group in
                group.get("/slow", .open) { _ in
                    gate.note("begun")
                    try await Task.sleep(nanoseconds: 300_000_000)
                    return try .json("done")
                }
            }
        }
        var values = TestService.secrets
        values["SLOW_PORT"] = "0"
        let host = ServiceHost(services: [definition], values: values, group: TestService.group) { _ in
            capture.telemetry
        }
        try await host.start()
        let client = HTTPClient(group: TestService.group, telemetry: nil)
        let url = host.endpoints[0].url
        let answer = Task {
            let response = try await client.send(HTTPRequest(method: .get, target: "/slow"), to: url)
            return String(decoding: try await response.body.collect(upTo: 100), as: UTF8.self)
        }
        #expect(await eventually { gate.all == ["begun"] })
        await host.stop()
        #expect(try await answer.value == #""done""#)
        await #expect(throws: HTTPClientError.self) {
            _ = try await client.send(HTTPRequest(method: .get, target: "/slow"), to: url)
        }
        await client.shutdown()
        #expect(capture.logLines(event: LifecycleTelemetry.stopped).count == 1)
    }

    @Test func readinessNamesWhatIsDown() async throws {
        struct Down: Error {}
        let box = Box()
        try await TestService.run(build: { app in
            app.readiness("ledger") {
                box.asked.wrappingAdd(1, ordering: .relaxed)
                if box.isDown.withLock({ $0 }) { throw Down() }
            }
            app.readiness("fine") {}
        }) { (service: TestService) async throws in
            let start = ContinuousClock.now
            for _ in 0..<20 {
                let answer = try await service.get("/health/ready")
                #expect(answer.status == 503)
                #expect(answer.text.contains(#""ledger":"down: Down","fine":"up""#))
            }
            // Asked far less often than it was answered: once a second.
            let seconds = Int((ContinuousClock.now - start).components.seconds)
            #expect(box.asked.load(ordering: .relaxed) <= 3 + seconds)
            #expect(try await service.get("/health/live").status == 200)
            #expect(try await service.get("/health").status == 503)
            box.isDown.withLock { $0 = false }
            #expect(try await eventually { try await service.get("/health/ready").status == 200 })
        }
    }

    private final class Box: Sendable {
        let isDown = Mutex(true)
        let asked = Atomic<Int>(0)
    }

    @Test func detailsOfARunThatFailsAreWrittenAndThoseOfOthersForgotten() async throws {
        struct Odd: Error {}
        let counter = Counted()
        let detail = LogEvent("test.job_detail", level: .debug, help: "What a run says below the level.")
        try await TestService.run(
            logLevel: .info, logDetails: LogDetailsPolicy(maxBytes: 4_096, slowMilliseconds: 3_600_000),
            build: { app in
                app.every(milliseconds: 5, "sweep") {
                    let run = counter.next()
                    app.telemetry.logger.log(detail, run == 1 ? "of the bad run" : "of a good run")
                    if run == 1 { throw Odd() }
                }
            }
        ) { (service: TestService) async throws in
            let successes = #"job_runs_total{job="sweep",outcome="success"}"#
            #expect(await eventually { (service.capture.value(successes) ?? 0) >= 2 })
            let lines = service.capture.logLines(event: detail)
            #expect(lines.count == 1)
            #expect(lines.first?.contains("of the bad run") == true)
            #expect(lines.first?.contains("\"tags\":[\"retroactive\"]") == true)
            let span = service.capture.spans(named: "job sweep").first { $0.attributes["error.type"] == "Odd" }
            #expect(lines.first?.contains(span.map { "\"trace.id\":\"\($0.context.traceID)\"" } ?? "no span") == true)
        }
    }

    @Test func jobsRunAgainAndAgainAndAreCounted() async throws {
        let counter = Counted()
        struct Odd: Error {}
        try await TestService.run(build: { app in
            app.every(milliseconds: 5, "sweep") {
                if counter.next() % 2 == 1 { throw Odd() }
            }
        }) { (service: TestService) async throws in
            let failures = #"job_runs_total{job="sweep",outcome="failure"}"#
            let successes = #"job_runs_total{job="sweep",outcome="success"}"#
            #expect(await eventually { (service.capture.value(successes) ?? 0) >= 2 })
            #expect((service.capture.value(failures) ?? 0) >= 2)
            #expect((service.capture.value(#"job_last_success_timestamp_seconds{job="sweep"}"#) ?? 0) > 1e9)
            let spans = service.capture.spans(named: "job sweep")
            #expect(spans.contains { $0.attributes["error.type"] == "Odd" })
            #expect(Set(spans.map(\.context.traceID)).count == spans.count)
            #expect(!service.capture.logLines(event: JobTelemetry.failed).isEmpty)
        }
        let after = counter.value
        try await Task.sleep(nanoseconds: 30_000_000)
        #expect(counter.value == after)
    }

    private final class Counted: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    }
}
