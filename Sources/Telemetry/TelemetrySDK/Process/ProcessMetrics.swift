internal import Glibc
package import Telemetry

/// Facts about the process under the names that Prometheus clients share, read at each scrape from `/proc`.
package enum ProcessMetrics {
    static let cpu = Counter(
        "process_cpu_seconds_total", unit: .seconds, help: "User and system CPU time spent.")
    static let residentMemory = Gauge(
        "process_resident_memory_bytes", unit: .bytes, help: "Resident memory.")
    static let virtualMemory = Gauge("process_virtual_memory_bytes", unit: .bytes, help: "Virtual memory.")
    static let openDescriptors = Gauge("process_open_fds", help: "Open file descriptors.")
    static let maxDescriptors = Gauge("process_max_fds", help: "File descriptors that may be open.")
    static let threads = Gauge("process_threads", help: "Threads of the process.")
    static let startTime = Gauge(
        "process_start_time_seconds", unit: .seconds, help: "Start of the process since 1970 UTC.")

    /// Shows the process in a registry; in one of a process, so that sums count it once.
    package static func register(in registry: MetricRegistry) {
        registry.observe(cpu) { cpuSeconds() }
        registry.observe(residentMemory) { memoryBytes().resident }
        registry.observe(virtualMemory) { memoryBytes().virtual }
        registry.observe(openDescriptors) { openDescriptorCount() }
        registry.observe(maxDescriptors) { descriptorLimit() }
        registry.observe(threads) { threadCount() }
        let start = startSeconds()
        registry.observe(startTime) { start }
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        guard getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func memoryBytes() -> (resident: Double, virtual: Double) {
        let fields = read("/proc/self/statm").split(separator: " ")
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        guard fields.count > 1, let virtual = Double(fields[0]), let resident = Double(fields[1]) else { return (0, 0) }
        return (resident * page, virtual * page)
    }

    private static func openDescriptorCount() -> Double {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not `.`, `..`, and the descriptor that reads the directory.
        return Double(max(0, count - 3))
    }

    private static func descriptorLimit() -> Double {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    /// The fields of `/proc/self/stat` after the command, whose name may hold spaces; the first is field 3.
    private static func statFields() -> [Substring] {
        let text = read("/proc/self/stat")
        guard let parenthesis = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: parenthesis)...].split(separator: " ")
    }

    private static func threadCount() -> Double {
        let fields = statFields()
        return fields.count > 17 ? Double(fields[17]) ?? 0 : 0
    }

    private static func startSeconds() -> Double {
        let fields = statFields()
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        guard fields.count > 19, let start = Double(fields[19]), ticks > 0 else { return 0 }
        var now = timespec()
        var sinceBoot = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        let boot =
            Double(now.tv_sec - sinceBoot.tv_sec) + Double(now.tv_nsec - sinceBoot.tv_nsec) / 1e9
        return ((boot + start / ticks) * 100).rounded() / 100
    }

    /// A small file of `/proc`; empty when it cannot be read.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
