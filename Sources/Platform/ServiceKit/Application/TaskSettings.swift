internal import Configuration
internal import Tasks

/// Settings of tasks, for all services of a process.
struct TaskSettings: Sendable {
    /// `TASKS_MAX_WAITING`: tasks that may wait in one queue before more are refused.
    var limits = TaskClient.Limits()
    /// `TASKS_CONCURRENCY`: tasks that run at once on each event loop. `TASKS_VISIBILITY_SECONDS`: how long a worker may be
    /// silent before others take its tasks; the same for all workers.
    var worker = TaskWorker.Configuration()
    /// `TASKS_IN_SERVICE`: whether services run their tasks themselves; `vitrine worker` runs them otherwise.
    let areRunByServices: Bool

    init(_ configuration: ConfigurationReader) {
        limits.maxWaiting = configuration.int("TASKS_MAX_WAITING", default: 100_000, in: 1...10_000_000)
        worker.concurrencyPerLoop = configuration.int("TASKS_CONCURRENCY", default: 16, in: 4...1_000)
        worker.visibilityMilliseconds =
            configuration.int("TASKS_VISIBILITY_SECONDS", default: 30, in: 1...3_600) * 1_000
        areRunByServices = configuration.bool("TASKS_IN_SERVICE", default: true)
    }
}
