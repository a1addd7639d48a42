internal import CThread
internal import Glibc
internal import Synchronization

/// A few threads for work that blocks or burns: bcrypt, files, name resolution. Never run such work on a loop.
///
/// Safety (`@unchecked Sendable`): the queue is guarded by `mutex`; the rest is set once.
package final class WorkerPool: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    private var queue: [@Sendable () -> Void] = []
    private var busy = 0
    private var refused = 0
    private var isStopping = false
    private var threads: [pthread_t] = []
    /// What its threads are called, and its series.
    package let name: String
    /// Jobs that may wait.
    package let capacity: Int
    /// Its threads.
    package let threadCount: Int

    package struct Saturated: Error, CustomStringConvertible {
        package var description: String { "the worker pool's queue is full: try again later" }
    }

    /// - Parameters: threads: 1 or more. - capacity: jobs that may wait before `run` refuses.
    package init(threads count: Int = 2, capacity: Int = 1024, name: String = "worker") {
        precondition(count > 0 && capacity > 0)
        self.name = name
        self.capacity = capacity
        threadCount = count
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        for index in 0..<count {
            var thread: pthread_t = 0
            let start = Start(pool: self, name: "\(name)-\(index)")
            let result = pthread_create(&thread, nil, runWorker, Unmanaged.passRetained(start).toOpaque())
            precondition(result == 0, "cannot start a worker thread: error \(result)")
            threads.append(thread)
        }
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` on a worker thread; the caller's task continues on its own executor.
    /// - Throws: `Saturated` when the queue is full, and whatever `body` throws.
    package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let accepted = submit { continuation.resume(with: Result { try body() }) }
            if !accepted { continuation.resume(throwing: Saturated()) }
        }
    }

    /// Queues `work` without waiting for it. False when the queue is full or the pool has stopped.
    package func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isStopping, queue.count < capacity else {
            refused += 1
            return false
        }
        queue.append(work)
        pthread_cond_signal(condition)
        return true
    }

    /// Jobs that wait, threads that run one, and jobs that were refused so far.
    package var load: (waiting: Int, busy: Int, refused: Int) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return (queue.count, busy, refused)
    }

    /// Finishes what is queued, then ends the threads.
    package func shutdown() {
        pthread_mutex_lock(mutex)
        isStopping = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    fileprivate func work() {
        while true {
            pthread_mutex_lock(mutex)
            while queue.isEmpty, !isStopping { pthread_cond_wait(condition, mutex) }
            guard !queue.isEmpty else {
                pthread_mutex_unlock(mutex)
                return
            }
            let item = queue.removeFirst()
            busy += 1
            pthread_mutex_unlock(mutex)
            item()
            pthread_mutex_lock(mutex)
            busy -= 1
            pthread_mutex_unlock(mutex)
        }
    }

    fileprivate final class Start {
        let pool: WorkerPool
        let name: String
        init(pool: WorkerPool, name: String) {
            self.pool = pool
            self.name = name
        }
    }
}

private func runWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<WorkerPool.Start>.fromOpaque(argument).takeRetainedValue()
    vitrine_set_thread_name(start.name)
    start.pool.work()
    return nil
}
