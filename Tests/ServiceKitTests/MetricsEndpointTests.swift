import EventLoop
import Glibc
import HTTP
import HTTPCodec
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// `/metrics` of a running service: what it shows of the process, in which format, and what a slow scrape may hold up.
@Suite struct MetricsEndpointTests {
    private func run<T>(_ body: (TestService) async throws -> T) async throws -> T {
        try await TestService.run(
            build: { app in
                app.routes("") { routes in routes.get("/hello", .open) { _ in .json(bytes: Array("{}".utf8)) } }
            }, body)
    }

    @Test func everyServiceShowsTheProcessItsLoopsItsPoolsAndItsBuild() async throws {
        try await run { (service: TestService) async throws in
            let capture = service.capture
            for series in [
                "process_cpu_seconds_total", "process_resident_memory_bytes", "process_heap_used_bytes",
                "process_open_fds", "process_max_fds", "process_threads", "process_start_time_seconds",
                #"worker_pool_queue_capacity{pool="worker"}"#, #"worker_pool_threads{pool="scrape"}"#,
                #"process_context_switches_total{type="voluntary"}"#,
            ] {
                #expect((capture.value(series) ?? 0) > 0, "\(series)")
            }
            for series in [
                #"worker_pool_queue_length{pool="worker"}"#, #"worker_pool_refused_total{pool="scrape"}"#,
                #"event_loop_queue_depth{loop="1"}"#,
            ] {
                #expect(capture.value(series) != nil, "\(series)")
            }
            #expect(capture.text.contains("vitrine_build_info{version="))
            // Loops are measured while the service runs.
            #expect(await eventually { (capture.value(#"event_loop_lag_seconds_count{loop="0"}"#) ?? 0) > 1 })
        }
    }

    @Test func formatCompressionAndCachingHeadersAreRight() async throws {
        try await run { (service: TestService) async throws in
            let plain = try await service.get("/metrics")
            #expect(plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(plain.headers["content-encoding"] == nil)
            #expect(plain.headers["vary"] == "accept, accept-encoding")
            let open = try await service.get(
                "/metrics", headers: ["accept": "application/openmetrics-text;version=1.0.0"])
            #expect(
                open.headers["content-type"]
                    == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
            #expect(open.text.hasSuffix("# EOF\n"))
            let zipped = try await service.get("/metrics", headers: ["accept-encoding": "gzip"])
            #expect(zipped.headers["content-encoding"] == "gzip")
            #expect((service.capture.value("telemetry_series") ?? 0) > 50)
            #expect(service.capture.value("otel_sdk_metric_reader_collection_duration_seconds_count") == 3)
        }
    }

    @Test func judgesAcceptWhatAServiceShows() async throws {
        try await run { (service: TestService) async throws in
            _ = try await service.get("/hello")
            let plain = try await service.get("/metrics")
            let linted = try ChildProcess.run("promtool", ["check", "metrics"], input: Array(plain.text.utf8))
            #expect(linted.status == 0, "\(linted.output)\(linted.errors)")
            let open = try await service.get("/metrics", headers: ["accept": "application/openmetrics-text"])
            let program = """
                import sys
                from prometheus_client.openmetrics.parser import text_string_to_metric_families
                names = {f.name: f.type for f in text_string_to_metric_families(sys.stdin.buffer.read().decode())}
                assert names["http_requests"] == "counter" and names["vitrine_build"] == "info", names
                assert names["event_loop_lag_seconds"] == "histogram" and names["process_heap_bytes"] == "gauge", names
                print("ok")
                """
            let read = try ChildProcess.python(program, input: Array(open.text.utf8))
            #expect(read.output == "ok\n", "\(read.errors)")
        }
    }

    @Test func aSlowScrapeHoldsNobodyUpAndAFloodOfThemIsRefused() async throws {
        let isReading = Atomic<Bool>(false)
        let gate = Atomic<Bool>(false)
        try await run { (service: TestService) async throws in
            service.capture.telemetry.metrics.observe(Gauge("slow_answer", help: "Slow.")) {
                isReading.store(true, ordering: .relaxed)
                while !gate.load(ordering: .relaxed) { usleep(1_000) }
                return 1
            }
            try await withThrowingTaskGroup(of: Int.self) { scrapes in
                scrapes.addTask { try await service.get("/metrics").status }
                #expect(await eventually { isReading.load(ordering: .relaxed) })
                // Both loops still answer, several times over.
                for _ in 0..<10 { #expect(try await service.get("/hello").status == 200) }
                for _ in 0..<40 { scrapes.addTask { try await service.get("/metrics").status } }
                var refused = 0
                while refused < 24, let status = try await scrapes.next() {
                    #expect(status == 503)
                    refused += 1
                }
                gate.store(true, ordering: .relaxed)
                for try await status in scrapes { #expect(status == 200) }
                #expect(refused == 24)
                #expect(service.capture.value("telemetry_scrapes_refused_total") == 24)
            }
        }
    }
}
