internal import EventLoop

/// The task of a connection handles one request after the other, and waits in between. To make one for each request
/// would cost more than a small handler does: it has to be created, registered with its executor, and given a stack.
extension HTTPServerConnection {
    /// A task that has waited for so long is not kept: an idle connection needs its memory no more.
    private static let keptMilliseconds: UInt64 = 2_000

    /// Has the request that was just read handled: at once, up to the handler's first suspension.
    func handOver() {
        switch worker {
        case .idle(let waiting):
            worker = .busy
            waiting.resume()
            shard.loop.runReadyJobs()
        case .none:
            worker = .busy
            let task = Task.immediate(executorPreference: shard.loop) { [self] in await work() }
            if case .none = worker { return }
            self.task = task
        // It has just answered and reads on: it takes the request when it is back.
        case .busy: break
        }
    }

    /// Lets a waiting task end.
    func releaseWorker() {
        guard case .idle(let waiting) = worker else { return }
        worker = .busy
        waiting.resume()
    }

    /// Lets a task end that has waited for long.
    func releaseIdleWorker(_ now: UInt64) {
        guard phase == .reading, deadlineIsIdle else { return }
        let idleSince = deadline - UInt64(shard.configuration.idleTimeoutSeconds) * 1000
        if now >= idleSince + Self.keptMilliseconds { releaseWorker() }
    }

    private nonisolated func work() async {
        while true {
            while let next = takeRequest() { await respond(to: next) }
            guard !tcp.isClosed else { break }
            // Safety: whoever takes it out of `worker` resumes it once.
            await withUnsafeContinuation { worker = .idle($0) }
            if request == nil { break }
        }
        worker = .none
        task = nil
    }

    private func takeRequest() -> HTTPRequest? {
        defer { request = nil }
        return request
    }
}
