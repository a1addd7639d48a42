import Glibc

/// Threads of the system, each with an ordinal of its own.
struct ThreadGroup {
    private var threads: [pthread_t] = []

    fileprivate final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(count: Int, _ body: @escaping @Sendable () -> Void) {
        for _ in 0..<count {
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(Body(body)).toOpaque()
            let result = pthread_create(&thread, nil, runBody, argument)
            precondition(result == 0)
            threads.append(thread)
        }
    }

    func join() { for thread in threads { pthread_join(thread, nil) } }
}

private func runBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { Unmanaged<ThreadGroup.Body>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}
