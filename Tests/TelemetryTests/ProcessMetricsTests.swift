import Glibc
import Telemetry
import TelemetrySDK
import TelemetryTesting
import Testing

/// What the process tells of itself follows what it does.
@Suite(.serialized) struct ProcessMetricsTests {
    private let capture = TelemetryCapture()

    init() { ProcessMetrics.register(in: capture.telemetry.metrics) }

    private func value(_ series: String) -> Double { capture.value(series) ?? -1 }

    @Test func cpuTimeGrowsWithWork() {
        let before = value("process_cpu_seconds_total")
        var now = timespec()
        var sum = 0.0
        // Until this thread alone has burnt 50 ms.
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        let end = now.tv_sec * 1_000_000_000 + now.tv_nsec + 50_000_000
        while now.tv_sec * 1_000_000_000 + now.tv_nsec < end {
            for step in 0..<10_000 { sum += Double(step).squareRoot() }
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        }
        #expect(sum > 0)
        #expect(value("process_cpu_seconds_total") - before >= 0.045)
    }

    @Test func memoryShowsWhatIsAllocatedAndTouched() {
        let size = 200 * 1024 * 1024
        let used = value("process_heap_used_bytes")
        let resident = value("process_resident_memory_bytes")
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        memset(block, 1, size)
        // Other tests of the process free and allocate meanwhile.
        #expect(value("process_heap_used_bytes") - used > Double(size) / 2)
        #expect(value("process_heap_bytes") >= value("process_heap_used_bytes"))
        #expect(value("process_resident_memory_bytes") - resident > Double(size) / 2)
        block.deallocate()
        #expect(value("process_heap_used_bytes") < used + Double(size) / 2)
    }

    @Test func openDescriptorsAreCounted() {
        let before = value("process_open_fds")
        let descriptors = (0..<300).map { _ in open("/dev/null", O_RDONLY) }
        #expect(value("process_open_fds") - before > 200)
        #expect(value("process_max_fds") > value("process_open_fds"))
        for descriptor in descriptors { close(descriptor) }
    }

    @Test func startThreadsAndBuildAreTold() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let age = Double(now.tv_sec) - value("process_start_time_seconds")
        #expect(age > -1 && age < 24 * 3600)
        #expect(value("process_threads") >= 1)
        #expect(value(#"process_paging_faults_total{type="minor"}"#) > 0)
        #expect(capture.text.contains("vitrine_build_info{version=\"\(SDKVersion.current)\",compiler=\"swift 6."))
    }
}
