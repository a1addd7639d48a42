import Glibc

/// One operation to measure. The figure is the CPU time of the whole process (background threads too) divided by the
/// number of operations: it depends less on what else the machine does than elapsed time.
struct Row: Sendable {
    let name: String
    /// Threads that do it at the same time.
    let threads: Int
    /// Makes what the operation needs, and returns a function that does it so many times; called once. That function is
    /// called from each of the threads.
    let prepare: @Sendable () -> @Sendable (_ times: Int) -> Void

    init(_ name: String, threads: Int = 1, _ prepare: @escaping @Sendable () -> @Sendable (_ times: Int) -> Void) {
        self.name = name
        self.threads = threads
        self.prepare = prepare
    }

    static let all: [Row] = metrics + traces + logs

    /// - Returns: nanoseconds of CPU time an operation, after as long a warm-up.
    func measure(milliseconds: Int) -> Double {
        let body = prepare()
        // As many operations as take about that long.
        var times = 1
        var elapsed = run(body, times)
        while elapsed < milliseconds * 1_000_000 {
            let wanted = Double(milliseconds) * 1e6 / Double(max(elapsed, 1)) * Double(times) * 1.05
            times = min(times * 100, max(times + 1, Int(wanted)))
            elapsed = run(body, times)
        }
        let before = Self.now(CLOCK_PROCESS_CPUTIME_ID)
        _ = run(body, times)
        return Double(Self.now(CLOCK_PROCESS_CPUTIME_ID) - before) / Double(times * threads)
    }

    /// - Returns: nanoseconds that passed.
    private func run(_ body: @escaping @Sendable (Int) -> Void, _ times: Int) -> Int {
        let start = Self.now(CLOCK_MONOTONIC)
        if threads == 1 {
            body(times)
        } else {
            let running = (0..<threads).map { _ in Self.startThread { body(times) } }
            for thread in running { pthread_join(thread, nil) }
        }
        return Self.now(CLOCK_MONOTONIC) - start
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private static func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(Work(body)).toOpaque())
        precondition(result == 0, "cannot start a thread: error \(result)")
        return thread
    }

    private static func now(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
