import EventLoop
import Glibc
import Synchronization

/// The servers that `Benchmarks/run` measures: the same small JSON answer at each height of the stack.
///
///     vitrine-bench bare --port 9000
@main
enum BenchServer {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        // Blocked before any thread is started, so that only `sigwait` below sees it. The main thread stays there: the
        // one that an asynchronous `main` leaves behind waits with every signal unblocked.
        var ending = sigset_t()
        sigemptyset(&ending)
        sigaddset(&ending, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &ending, nil)
        var arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.popFirst(), let kind = Kind(rawValue: name), arguments.popFirst() == "--port",
            let port = arguments.popFirst().flatMap(Int.init), arguments.isEmpty
        else {
            let kinds = Kind.allCases.map(\.rawValue).joined(separator: "|")
            write(2, "usage: vitrine-bench \(kinds) --port PORT\n")
            exit(2)
        }
        let running = start(kind, port: port)
        var number: Int32 = 0
        sigwait(&ending, &number)
        running.withLock { ($0 as? Backends)?.stop() }
        exit(0)
    }

    /// Starts serving in the background.
    /// - Returns: what must live as long as it serves.
    private static func start(_ kind: Kind, port: Int) -> Running {
        let running = Running()
        Task.detached {
            do {
                // The harness pins a server to one core: a second loop would only take turns with the first.
                let server = try await kind.serve(
                    port: port, settings: environment(), group: EventLoopGroup(count: 1))
                running.withLock { $0 = server }
            } catch {
                write(2, "vitrine-bench: \(error)\n")
                exit(1)
            }
        }
        return running
    }

    private static func environment() -> [String: String] {
        var settings: [String: String] = [:]
        var pointer = environ
        while let entry = pointer.pointee {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            settings[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
            pointer += 1
        }
        return settings
    }

    /// Writes text to a descriptor, unbuffered.
    static func write(_ descriptor: Int32, _ text: String) {
        _ = text.utf8.withContiguousStorageIfAvailable { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}

/// Holds what serves until the process ends.
private final class Running: Sendable {
    private let server = Mutex<(any Sendable)?>(nil)

    func withLock(_ body: (inout (any Sendable)?) -> Void) { server.withLock { body(&$0) } }
}
