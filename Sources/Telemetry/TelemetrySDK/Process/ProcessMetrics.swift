internal import CMalloc
internal import Glibc
package import Telemetry

/// Facts about the process under the names that Prometheus clients share, read at each scrape from the kernel and from
/// the allocator. Every service of a process shows them: its target must tell all about itself. A sum over services
/// then counts the process once for each, so dashboards take the maximum over the targets of one process.
package enum ProcessMetrics {
    static let cpu = Counter(
        "process_cpu_seconds_total", unit: .seconds, help: "User and system CPU time spent.")
    static let residentMemory = Gauge(
        "process_resident_memory_bytes", unit: .bytes, help: "Resident memory.")
    static let memoryLimit = Gauge(
        "process_memory_limit_bytes", unit: .bytes,
        help: "Memory that the process may have: the limit of its control group, else that of the machine.")
    static let virtualMemory = Gauge("process_virtual_memory_bytes", unit: .bytes, help: "Virtual memory.")
    static let heap = Gauge(
        "process_heap_bytes", unit: .bytes, help: "Memory that the allocator holds: what is used and what is free.")
    static let usedHeap = Gauge(
        "process_heap_used_bytes", unit: .bytes, help: "Memory that was allocated and not freed.")
    static let openDescriptors = Gauge("process_open_fds", help: "Open file descriptors.")
    static let maxDescriptors = Gauge("process_max_fds", help: "File descriptors that may be open.")
    static let threads = Gauge("process_threads", help: "Threads of the process.")
    static let startTime = Gauge(
        "process_start_time_seconds", unit: .seconds, help: "Start of the process since 1970 UTC.")
    static let contextSwitches = Counter(
        "process_context_switches_total",
        help: "Times that a thread left its core: voluntary to wait, involuntary because another one got it.",
        labels: ["type"])
    static let pageFaults = Counter(
        "process_paging_faults_total", help: "Pages that were not there when used: major ones came from a disk.",
        labels: ["type"])

    /// Every metric of the process.
    package static let declarations: [MetricDeclaration] = [
        cpu.declaration, residentMemory.declaration, memoryLimit.declaration, virtualMemory.declaration,
        heap.declaration,
        usedHeap.declaration, openDescriptors.declaration, maxDescriptors.declaration, threads.declaration,
        startTime.declaration, contextSwitches.declaration, pageFaults.declaration, BuildInfo.info.declaration,
    ]

    /// Shows the process, and what it was built from, in a registry.
    package static func register(in registry: MetricRegistry) {
        registry.observe(cpu) {
            let usage = ResourceUsage.now
            return usage.userSeconds + usage.systemSeconds
        }
        registry.observe(contextSwitches, labels: ["voluntary"]) { ResourceUsage.now.voluntarySwitches }
        registry.observe(contextSwitches, labels: ["involuntary"]) { ResourceUsage.now.involuntarySwitches }
        registry.observe(pageFaults, labels: ["major"]) { ResourceUsage.now.majorFaults }
        registry.observe(pageFaults, labels: ["minor"]) { ResourceUsage.now.minorFaults }
        registry.observe(residentMemory) { ProcessFiles.memoryBytes().resident }
        let memory = MemoryLimit.bytes()
        registry.observe(memoryLimit) { memory }
        registry.observe(virtualMemory) { ProcessFiles.memoryBytes().virtual }
        registry.observe(heap) { heapBytes().held }
        registry.observe(usedHeap) { heapBytes().used }
        registry.observe(openDescriptors) { ProcessFiles.openDescriptorCount() }
        registry.observe(maxDescriptors) { descriptorLimit() }
        registry.observe(threads) { ProcessFiles.threadCount() }
        let start = ProcessFiles.startSeconds()
        registry.observe(startTime) { start }
        BuildInfo.register(in: registry)
    }

    private static func descriptorLimit() -> Double {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    private static func heapBytes() -> (held: Double, used: Double) {
        let info = mallinfo2()
        return (Double(info.arena + info.hblkhd), Double(info.uordblks + info.hblkhd))
    }
}

/// What the kernel has counted for the process so far.
private struct ResourceUsage {
    private var usage = rusage()

    static var now: ResourceUsage {
        var now = ResourceUsage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &now.usage)
        return now
    }

    var userSeconds: Double { Self.seconds(usage.ru_utime) }
    var systemSeconds: Double { Self.seconds(usage.ru_stime) }
    var voluntarySwitches: Double { Double(usage.ru_nvcsw) }
    var involuntarySwitches: Double { Double(usage.ru_nivcsw) }
    var majorFaults: Double { Double(usage.ru_majflt) }
    var minorFaults: Double { Double(usage.ru_minflt) }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}
