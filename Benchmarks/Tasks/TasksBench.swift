import EventLoop
import Glibc
import LocalStack
import PostgreSQL
import Redis
import Tasks
import Telemetry

/// Tasks from end to end: how many a worker process does a second, and a worker that may be killed at any moment.
///
///     tasks-bench rate COUNT                          prints no-op tasks a second: enqueued, run and acknowledged
///     tasks-bench worker SERVICE REDIS DATABASE       runs `effect` of the service until it is killed
@main
enum TasksBench {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("rate", 2):
            guard let count = Int(arguments[1]), (1...10_000_000).contains(count) else { usage() }
            print(try await TaskRate(count: count).measure())
        case ("worker", 4):
            try await MortalWorker.run(service: arguments[1], redis: arguments[2], database: arguments[3])
        default: usage()
        }
    }

    private static func usage() -> Never {
        let usage = "usage: tasks-bench rate COUNT | tasks-bench worker SERVICE REDIS DATABASE\n"
        write(2, usage, usage.utf8.count)
        exit(2)
    }
}

/// Telemetry as a service has it, but for what leaves the process.
final class DiscardedTelemetry: SpanSink {
    static func make() -> Telemetry {
        Telemetry(
            resource: ServiceResource(name: "tasks-bench"), spanSink: DiscardedTelemetry(), logSink: nil)
    }
    func spanEnded(_ span: Span) {}
}
