internal import CThread
internal import Glibc

/// Starts a thread of our own that nobody joins: for work that may block and must not block a loop.
enum DetachedThread {
    fileprivate final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// - Parameter name: at most 15 bytes.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(name: name, run: body)).toOpaque()
        let result = pthread_create(&thread, nil, runDetached, argument)
        precondition(result == 0, "cannot start the thread \(name): error \(result)")
        pthread_detach(thread)
    }
}

private func runDetached(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let body = Unmanaged<DetachedThread.Body>.fromOpaque(argument).takeRetainedValue()
    vitrine_set_thread_name(body.name)
    // Signals are for other threads; a closed pipe is told by EPIPE.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    body.run()
    return nil
}
