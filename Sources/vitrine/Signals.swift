import Glibc

/// SIGINT and SIGTERM as something to wait for. Nothing else in the process installs signal handlers.
enum Signals {
    /// Blocks the signals in this thread and all that it starts. Call first thing in `main`.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var set = wanted()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for SIGINT or SIGTERM; a second one, while the first is being served, ends the process at once.
    static func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            let waiter = Waiter { continuation.resume(returning: $0) }
            var thread: pthread_t = 0
            pthread_create(&thread, nil, waitForSignals, Unmanaged.passRetained(waiter).toOpaque())
            pthread_detach(thread)
        }
    }

    fileprivate static func wanted() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        return set
    }

    fileprivate final class Waiter {
        let report: (Int32) -> Void
        init(_ report: @escaping (Int32) -> Void) { self.report = report }
    }
}

private func waitForSignals(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let waiter = Unmanaged<Signals.Waiter>.fromOpaque(argument).takeRetainedValue()
    var set = Signals.wanted()
    var number: Int32 = 0
    sigwait(&set, &number)
    waiter.report(number)
    sigwait(&set, &number)
    _exit(130)
}
