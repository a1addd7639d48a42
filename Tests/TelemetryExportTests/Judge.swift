import EventLoop
import TelemetryTesting

/// Runs Python on a thread of its own: a test that waits for a process must not hold a thread that other tests need.
enum Judge {
    private static let worker = WorkerPool(threads: 1, capacity: 64, name: "judge")

    static func python(_ program: String, _ arguments: [String] = [], input: [UInt8] = []) async throws -> ChildProcess
    {
        try await worker.run { try ChildProcess.python(program, arguments, input: input) }
    }
}
