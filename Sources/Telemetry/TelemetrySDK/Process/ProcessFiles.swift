internal import Glibc

/// What `/proc/self` says of the process; zero where it cannot be read.
enum ProcessFiles {
    static func memoryBytes() -> (resident: Double, virtual: Double) {
        let fields = read("/proc/self/statm").split(separator: " ")
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        guard fields.count > 1, let virtual = Double(fields[0]), let resident = Double(fields[1]) else { return (0, 0) }
        return (resident * page, virtual * page)
    }

    static func openDescriptorCount() -> Double {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not `.`, `..`, and the descriptor that reads the directory.
        return Double(max(0, count - 3))
    }

    static func threadCount() -> Double {
        let fields = statFields()
        return fields.count > 17 ? Double(fields[17]) ?? 0 : 0
    }

    /// Since 1970 UTC.
    static func startSeconds() -> Double {
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

    /// The fields of `/proc/self/stat` after the command, whose name may hold spaces; the first is field 3.
    private static func statFields() -> [Substring] {
        let text = read("/proc/self/stat")
        guard let parenthesis = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: parenthesis)...].split(separator: " ")
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
