import Glibc

/// SIGINT and SIGTERM as something to wait for. Nothing else in the process installs signal handlers.
///
/// By handlers and a pipe, not by blocking and `sigwait`: the runtime's main thread waits with every signal unblocked,
/// so that a blocked one would still end the process there.
enum Signals {
    /// Installs the handlers. Call first thing in `main`.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
        signal(SIGINT, onSignal)
        signal(SIGTERM, onSignal)
    }

    /// Waits for SIGINT or SIGTERM; a second one, while the first is being served, ends the process at once.
    static func wait() async {
        await withCheckedContinuation { continuation in
            let waiter = Waiter { continuation.resume() }
            var thread: pthread_t = 0
            pthread_create(&thread, nil, waitForSignals, Unmanaged.passRetained(waiter).toOpaque())
            pthread_detach(thread)
        }
    }

    fileprivate final class Waiter {
        let report: () -> Void
        init(_ report: @escaping () -> Void) { self.report = report }
    }
}

// Safety: set once by `prepare`, before any handler or waiter can run.
private nonisolated(unsafe) var readEnd: Int32 = -1
private nonisolated(unsafe) var writeEnd: Int32 = -1

private func onSignal(_ number: Int32) {
    // Async-signal-safe: one system call, nothing else.
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(writeEnd, &byte, 1)
}

private func waitForSignals(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let waiter = Unmanaged<Signals.Waiter>.fromOpaque(argument).takeRetainedValue()
    var byte: UInt8 = 0
    while read(readEnd, &byte, 1) < 1 {}
    waiter.report()
    while read(readEnd, &byte, 1) < 1 {}
    _exit(130)
}
