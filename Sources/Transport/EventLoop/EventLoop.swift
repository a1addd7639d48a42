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
    /// Where every connection of the loop receives: what arrived is used or copied before the next read.
    let readBuffer: UnsafeMutableRawBufferPointer = .allocate(byteCount: EventLoop.readBufferBytes, alignment: 16)
    private let wake: UnsafeMutablePointer<uv_async_t> = .allocate(capacity: 1)
    private let prepare: UnsafeMutablePointer<uv_prepare_t> = .allocate(capacity: 1)
    private let check: UnsafeMutablePointer<uv_check_t> = .allocate(capacity: 1)
    private let idle: UnsafeMutablePointer<uv_idle_t> = .allocate(capacity: 1)
    private var thread: pthread_t = 0

    private var ready: [UnownedJob] = []
    /// The other half of `ready`, for the jobs that are being run: what they enqueue comes after them.
    private var running: [UnownedJob] = []
    private var isRunningJobs = false
    private var soon: [@Sendable () -> Void] = []
    private var isIdleRunning = false
    /// Most jobs that a turn had, since `takeDeepestQueue`.
    private var deepestQueue = 0
    private let inbox = Inbox()
    /// The inbox's other half: the arrays change places, so that neither is allocated again.
    private var takenJobs: [UnownedJob] = []
    private var takenWork: [@Sendable () -> Void] = []
    private var isClosedCleanly = false

    /// Jobs after which sockets get their turn again, when those that are ready have run.
    private static let jobsPerTurn = 4096
    /// Bytes that one read takes at most.
    package static let readBufferBytes = 64 * 1024
    /// Turns that a stopping loop gives to what closes.
    private static let closingTurns = 64

    /// What other threads hand over.
    private final class Inbox: Sendable {
        struct Contents: ~Copyable {
            var jobs: [UnownedJob] = []
            var work: [@Sendable () -> Void] = []
            var isStopping = false
            /// The loop is gone: what comes now would never run, and waking it is not allowed.
            var isClosed = false
        }
        let contents = Mutex(Contents())
    }

    /// Starts the thread. `EventLoopGroup` is the usual way to get loops.
    package init(index: Int) {
        self.index = index
        let status = uv_loop_init(uv)
        precondition(status == 0, "cannot make an event loop: \(uvMessage(status))")
        uv_async_init(uv, wake, onWake)
        uv_prepare_init(uv, prepare)
        uv_prepare_start(prepare, onPrepare)
        uv_check_init(uv, check)
        uv_check_start(check, onCheck)
        uv_idle_init(uv, idle)
        let me = Unmanaged.passUnretained(self).toOpaque()
        uv.pointee.data = me
        wake.pointee.data = me
        prepare.pointee.data = me
        check.pointee.data = me
        // The thread owns the loop until `shutdown` joins it.
        let argument = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(&thread, nil, runLoop, argument)
        precondition(result == 0, "cannot start an event loop thread: error \(result)")
    }

    deinit {
        // A name look-up that never came back may still refer to the loop: then its memory stays.
        guard isClosedCleanly else { return }
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
            inbox.contents.withLock { contents in
                guard !contents.isClosed else { return }
                let wakes = contents.jobs.isEmpty && contents.work.isEmpty
                contents.jobs.append(job)
                if wakes { uv_async_send(wake) }
            }
        }
    }

    /// Runs `work` on the loop: soon, never within this call. Any thread.
    package func execute(_ work: @escaping @Sendable () -> Void) {
        if isCurrent {
            soon.append(work)
        } else {
            inbox.contents.withLock { contents in
                guard !contents.isClosed else { return }
                let wakes = contents.jobs.isEmpty && contents.work.isEmpty
                contents.work.append(work)
                if wakes { uv_async_send(wake) }
            }
        }
    }

    /// Runs `work` on the loop: within this call on the loop's own thread, soon from any other.
    package func perform(_ work: @escaping @Sendable () -> Void) {
        if isCurrent { work() } else { execute(work) }
    }

    /// Starts a task that runs on this loop. On the loop's own thread it runs at once, up to its first suspension.
    @discardableResult
    package nonisolated func spawn(_ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        if isCurrent { return Task.immediate(executorPreference: self) { await operation() } }
        return Task(executorPreference: self) { await operation() }
    }

    /// Runs `body` on this loop and waits for its result; cancelling the caller cancels it. Any thread; at once when
    /// the caller is on this loop already.
    package func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        if isCurrent { return try await body() }
        let task = Task(executorPreference: self) { try await body() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    // MARK: The turn of the loop

    fileprivate func runOnThread() {
        vitrine_set_current_loop(Unmanaged.passUnretained(self).toOpaque())
        vitrine_set_thread_name("loop-\(index)")
        // Loops are made first: so each gets an ordinal that is low enough for shards of its own.
        _ = vitrine_thread_ordinal()
        Self.blockBrokenPipeSignal()
        uv_run(uv, UV_RUN_DEFAULT)
        finish()
        vitrine_set_current_loop(nil)
    }

    /// libuv writes with `write(2)`: on a socket that the peer closed, that must be an error, not the end of the
    /// process.
    private static func blockBrokenPipeSignal() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    fileprivate func takeInbox() {
        inbox.contents.withLock { contents in
            swap(&contents.jobs, &takenJobs)
            swap(&contents.work, &takenWork)
        }
        ready.append(contentsOf: takenJobs)
        soon.append(contentsOf: takenWork)
        takenJobs.removeAll(keepingCapacity: true)
        takenWork.removeAll(keepingCapacity: true)
    }

    /// Runs what is ready. Before and after every poll, so that nothing waits while the loop sleeps.
    fileprivate func drain() {
        if !soon.isEmpty {
            let work = soon
            soon = []
            for item in work { item() }
        }
        runReadyJobs()
        // A handle that is always due keeps the poll from sleeping while something is left.
        let isWorkLeft = !ready.isEmpty || !soon.isEmpty
        if isWorkLeft != isIdleRunning {
            isIdleRunning = isWorkLeft
            if isWorkLeft { uv_idle_start(idle, onIdle) } else { uv_idle_stop(idle) }
        }
    }

    /// The most jobs that a turn of the loop had since the last call, those left for the next turn included. Loop thread
    /// only.
    func takeDeepestQueue() -> Int {
        defer { deepestQueue = 0 }
        return deepestQueue
    }

    /// Runs the tasks that can go on. A callback of libuv that has just resumed a task calls this to see how far it
    /// gets; from within a task it does nothing, because they have their turn anyway. Loop thread only.
    package func runReadyJobs() {
        guard !isRunningJobs, !ready.isEmpty else { return }
        isRunningJobs = true
        let executor = asUnownedTaskExecutor()
        var left = Self.jobsPerTurn
        while !ready.isEmpty, left > 0 {
            var batch: [UnownedJob] = []
            swap(&batch, &running)
            swap(&batch, &ready)
            for job in batch { job.runSynchronously(on: executor) }
            left -= batch.count
            batch.removeAll(keepingCapacity: true)
            swap(&batch, &running)
        }
        deepestQueue = max(deepestQueue, Self.jobsPerTurn - left + ready.count)
        isRunningJobs = false
    }

    // MARK: The end

    /// Stops the thread and waits for it. Handles that are still open are closed; tasks that are suspended on this
    /// loop never resume, so components stop first. Not from the loop itself; again, this does nothing.
    package func shutdown() {
        precondition(!isCurrent, "an event loop cannot join itself")
        let isFirst = inbox.contents.withLock { contents in
            defer { contents.isStopping = true }
            return !contents.isStopping
        }
        guard isFirst else { return }
        execute { [self] in uv_stop(uv) }
        pthread_join(thread, nil)
    }

    /// Closes what components left open, and lets whoever waits for it run once more.
    private func finish() {
        for _ in 0..<Self.closingTurns {
            var closed = 0
            withUnsafeMutablePointer(to: &closed) { uv_walk(uv, closeOwner, $0) }
            uv_run(uv, UV_RUN_NOWAIT)
            takeInbox()
            drain()
            if closed == 0, !isIdleRunning, uv.pointee.active_reqs.count == 0 { break }
        }
        inbox.contents.withLock { $0.isClosed = true }
        uv_close(wake.asHandle, nil)
        uv_close(prepare.asHandle, nil)
        uv_close(check.asHandle, nil)
        uv_close(idle.asHandle, nil)
        uv_run(uv, UV_RUN_NOWAIT)
        isClosedCleanly = uv_loop_close(uv) == 0
    }
}

// MARK: - Callbacks of libuv

private func runLoop(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue().runOnThread()
    return nil
}

private func loop(_ data: UnsafeMutableRawPointer?) -> EventLoop? {
    data.map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
}

private func onWake(_ handle: UnsafeMutablePointer<uv_async_t>?) { loop(handle?.pointee.data)?.takeInbox() }
private func onPrepare(_ handle: UnsafeMutablePointer<uv_prepare_t>?) { loop(handle?.pointee.data)?.drain() }
private func onCheck(_ handle: UnsafeMutablePointer<uv_check_t>?) { loop(handle?.pointee.data)?.drain() }
private func onIdle(_ handle: UnsafeMutablePointer<uv_idle_t>?) {}

private func closeOwner(_ handle: UnsafeMutablePointer<uv_handle_t>?, _ argument: UnsafeMutableRawPointer?) {
    guard let handle, uv_is_closing(handle) == 0, let data = handle.pointee.data else { return }
    switch handle.pointee.type {
    case UV_TIMER, UV_POLL, UV_TCP:
        argument?.assumingMemoryBound(to: Int.self).pointee += 1
        Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue().close()
    default: break
    }
}

/// The words of a libuv error code.
func uvMessage(_ code: Int32) -> String { uv_strerror(code).map { String(cString: $0) } ?? "error \(code)" }
