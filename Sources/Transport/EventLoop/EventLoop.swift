internal import CLibUV
internal import CThread
internal import Glibc
internal import Synchronization

/// One thread, one libuv loop, one Swift task executor.
///
/// Tasks spawned here never leave the thread: connections, pools and clients of the same loop need no locks, and
/// an `await` that is already satisfied costs no thread hop. Nothing that blocks may run on it: files, bcrypt and
/// name resolution go to a `WorkerPool`.
///
/// Safety (`@unchecked Sendable`): every stored property but `inbox` is touched on the loop's thread only.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    package let index: Int

    let uv: UnsafeMutablePointer<uv_loop_t> = .allocate(capacity: 1)
    private let wake: UnsafeMutablePointer<uv_async_t> = .allocate(capacity: 1)
    private let prepare: UnsafeMutablePointer<uv_prepare_t> = .allocate(capacity: 1)
    private let check: UnsafeMutablePointer<uv_check_t> = .allocate(capacity: 1)
    private let idle: UnsafeMutablePointer<uv_idle_t> = .allocate(capacity: 1)
    private var thread: pthread_t = 0

    /// Where every connection of the loop receives; its contents are valid during one callback.
    let readBuffer: UnsafeMutableRawBufferPointer = .allocate(byteCount: 64 * 1024, alignment: 16)

    private var ready: [UnownedJob] = []
    private var inbox = Inbox()
    private var isIdleRunning = false

    /// Jobs that one turn of the loop runs before sockets get their turn again.
    private static let jobsPerTurn = 4096

    private final class Inbox: Sendable {
        struct Contents: ~Copyable {
            var jobs: [UnownedJob] = []
            var work: [@Sendable () -> Void] = []
        }
        let contents = Mutex(Contents())
    }

    /// Starts the thread. `EventLoopGroup` is the usual way to get loops.
    package init(index: Int) {
        self.index = index
        uv_loop_init(uv)
        uv_async_init(uv, wake, onWake)
        uv_prepare_init(uv, prepare)
        uv_prepare_start(prepare, onPrepare)
        uv_check_init(uv, check)
        uv_check_start(check, onCheck)
        uv_idle_init(uv, idle)
        let me = Unmanaged.passUnretained(self).toOpaque()
        wake.pointee.data = me
        prepare.pointee.data = me
        check.pointee.data = me
        // The thread owns the loop until `shutdown` joins it.
        let argument = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(&thread, nil, runLoop, argument)
        precondition(result == 0, "cannot start an event loop thread: error \(result)")
    }

    deinit {
        wake.deallocate()
        prepare.deallocate()
        check.deallocate()
        idle.deallocate()
        uv.deallocate()
        readBuffer.deallocate()
    }

    /// The loop that the calling thread runs, or nil.
    package static var current: EventLoop? {
        guard let pointer = vitrine_current_loop() else { return nil }
        return Unmanaged<EventLoop>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Whether the caller runs on this loop's thread.
    package var isCurrent: Bool {
        vitrine_current_loop() == Unmanaged.passUnretained(self).toOpaque()
    }

    /// Traps in debug builds when the caller is on another thread.
    package func preconditionInLoop() {
        assert(isCurrent, "called off the event loop that owns this object")
    }

    /// Milliseconds of the loop's monotonic clock, cached once a turn. Loop thread only.
    package var nowMilliseconds: UInt64 { uv_now(uv) }

    // MARK: Tasks

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ready.append(job)
        } else {
            inbox.contents.withLock { $0.jobs.append(job) }
            uv_async_send(wake)
        }
    }

    /// Runs `work` on the loop: soon, never within this call. Any thread.
    package func execute(_ work: @escaping @Sendable () -> Void) {
        inbox.contents.withLock { $0.work.append(work) }
        uv_async_send(wake)
    }

    /// Starts a task that runs on this loop. On the loop's own thread it runs at once, up to its first suspension.
    @discardableResult
    package nonisolated func spawn(_ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        if isCurrent { return Task.immediate(executorPreference: self) { await operation() } }
        return Task(executorPreference: self) { await operation() }
    }

    /// Runs `body` on this loop and waits for its result. Any thread. The caller's task-local values and its
    /// cancellation reach `body`.
    package func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let task = Task(executorPreference: self) { try await body() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Suspends the current task without holding a thread. Ends early, throwing, when the task is cancelled.
    /// - Parameter milliseconds: zero or more.
    package func sleep(milliseconds: UInt64) async throws {
        try await Task.sleep(nanoseconds: milliseconds * 1_000_000)
    }

    // MARK: The turn of the loop

    fileprivate func runOnThread() {
        vitrine_set_current_loop(Unmanaged.passUnretained(self).toOpaque())
        vitrine_set_thread_name("loop-\(index)")
        uv_run(uv, UV_RUN_DEFAULT)
        vitrine_set_current_loop(nil)
    }

    fileprivate func takeInbox() {
        let (jobs, work) = inbox.contents.withLock { contents in
            let taken = (contents.jobs, contents.work)
            contents.jobs = []
            contents.work = []
            return taken
        }
        ready.append(contentsOf: jobs)
        for item in work { item() }
    }

    /// Runs what is ready. Before and after every poll, so that nothing waits while the loop sleeps.
    fileprivate func drain() {
        let executor = asUnownedTaskExecutor()
        var next = 0
        while next < ready.count, next < Self.jobsPerTurn {
            let job = ready[next]
            next += 1
            job.runSynchronously(on: executor)
        }
        ready.removeSubrange(..<next)
        // A handle that is always due keeps the poll from sleeping while jobs are left.
        if ready.isEmpty, isIdleRunning {
            uv_idle_stop(idle)
            isIdleRunning = false
        } else if !ready.isEmpty, !isIdleRunning {
            uv_idle_start(idle, onIdle)
            isIdleRunning = true
        }
    }

    /// Stops the thread and waits for it. Handles that are still open are closed; tasks that are suspended on this
    /// loop never resume, so components stop first. Not from the loop itself.
    package func shutdown() {
        precondition(!isCurrent, "an event loop cannot join itself")
        execute { [self] in
            uv_walk(uv, closeHandle, nil)
            uv_stop(uv)
        }
        pthread_join(thread, nil)
    }

    fileprivate func finish() {
        uv_run(uv, UV_RUN_NOWAIT)
        uv_loop_close(uv)
    }
}

// MARK: - Callbacks of libuv

private func runLoop(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let loop = Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue()
    loop.runOnThread()
    loop.finish()
    return nil
}

private func loop(_ data: UnsafeMutableRawPointer?) -> EventLoop? {
    data.map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
}

private func onWake(_ handle: UnsafeMutablePointer<uv_async_t>?) { loop(handle?.pointee.data)?.takeInbox() }
private func onPrepare(_ handle: UnsafeMutablePointer<uv_prepare_t>?) { loop(handle?.pointee.data)?.drain() }
private func onCheck(_ handle: UnsafeMutablePointer<uv_check_t>?) { loop(handle?.pointee.data)?.drain() }
private func onIdle(_ handle: UnsafeMutablePointer<uv_idle_t>?) {}
private func closeHandle(_ handle: UnsafeMutablePointer<uv_handle_t>?, _ argument: UnsafeMutableRawPointer?) {
    if let handle, uv_is_closing(handle) == 0 { uv_close(handle, nil) }
}
