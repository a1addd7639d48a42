internal import Glibc
internal import Synchronization

/// Places where a test may make the process die as by `kill -9`, to see that nothing is lost.
///
/// Armed by `VITRINE_CRASH_AT=<name>` alone, or `<name>:<n>` for the n-th time; otherwise reaching a point costs one
/// comparison.
package enum CrashPoint {
    private static let armed: (name: String, count: Int)? = {
        guard let value = getenv("VITRINE_CRASH_AT").map({ String(cString: $0) }), !value.isEmpty else { return nil }
        let parts = value.split(separator: ":")
        return (String(parts[0]), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
    }()
    private static let reached = Atomic<Int>(0)

    /// Dies here when the point is armed.
    package static func reach(_ name: String) {
        guard let armed, armed.name == name else { return }
        if reached.wrappingAdd(1, ordering: .relaxed).newValue == armed.count { kill(getpid(), SIGKILL) }
    }
}
