internal import EventLoop

/// The task of a connection handles one request after the other, and waits in between. To make one for each request
/// would cost more than a small handler does: it has to be created, registered with its executor, and given a stack.
extension HTTPServerConnection {
    /// A task that has waited for so long is not kept: an idle connection needs its memory no more.
    private static let keptMilliseconds: UInt64 = 2_000

    /// Does what was decided about the request that was just read.
    func take(_ disposition: HTTPDisposition) {
        switch disposition {
        case .answered(let response): answer(response)
        case .waiting(let work): handOver(.wait(work))
        case .promised(let promise):
            self.promise = promise
            promise.deliver { [self] response in
                self.promise = nil
                answer(response)
            }
        }
    }

    /// Has the task do something for the request: at once, up to its first suspension.
    func handOver(_ job: Job) {
        self.job = job
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
            while let next = takeJob() { await perform(next) }
            guard !tcp.isClosed else { break }
            // Safety: whoever takes it out of `worker` resumes it once.
            await withUnsafeContinuation { worker = .idle($0) }
            if job == nil { break }
        }
        worker = .none
        task = nil
    }

    private func takeJob() -> Job? {
        defer { job = nil }
        return job
    }
}
