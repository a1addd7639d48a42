internal import Glibc

/// How much memory the process may have: the least of what its control groups, the machine and its operator allow.
enum MemoryLimit {
    /// Bytes.
    static func bytes() -> Double {
        min(machineBytes(), controlGroupBytes() ?? .infinity, operatorBytes ?? .infinity)
    }

    /// `VITRINE_MEMORY_LIMIT_MIB`: for hosts whose limits a process cannot see.
    private static let operatorBytes: Double? = {
        guard let text = getenv("VITRINE_MEMORY_LIMIT_MIB"), let limit = Double(String(cString: text)), limit > 0 else {
            return nil
        }
        return limit * 1024 * 1024
    }()

    private static func machineBytes() -> Double {
        Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Control groups version 2, then version 1, as a container sees its own; nil without a limit.
    private static func controlGroupBytes() -> Double? {
        for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
            if let limit = number(path) { return limit }
        }
        return nil
    }

    /// The number that a small file holds; nil for a word such as `max`.
    private static func number(_ path: String) -> Double? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        return Double(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber })
    }
}
