package import Redis
package import Telemetry

/// What tasks tell of themselves: on the side of those who enqueue, and on the side of the workers (OpenTelemetry
/// messaging conventions, with `redis` as the system).
package struct TaskTelemetry: Sendable {
    package static let enqueued = Counter(
        "tasks_enqueued_total", help: "Tasks handed to Redis, by outcome: accepted, full or error.",
        labels: ["task", "outcome"])
    package static let runs = Counter(
        "task_runs_total",
        help:
            "Runs of tasks, by outcome: success, duplicate (had its effect before), refused, retried, dead, postponed "
            + "(a store was away), given_back (the worker stopped) or lost (another worker took it over).",
        labels: ["task", "outcome"])
    package static let duration = Histogram(
        "task_duration_seconds", unit: .seconds, help: "Duration of the runs of tasks.", labels: ["task"],
        buckets: durations)
    package static let waited = Histogram(
        "task_wait_seconds", unit: .seconds, help: "From when a task was due until a worker began it.",
        labels: ["task"], buckets: durations)
    package static let retries = Counter(
        "task_retries_total", help: "Failed tasks put back to be tried again.", labels: ["task"])
    package static let dead = Counter(
        "task_dead_letters_total", help: "Tasks given up; they lie with the dead letters.", labels: ["task"])
    package static let reclaimed = Counter(
        "tasks_reclaimed_total", help: "Tasks taken over from workers that had not been heard of.")
    package static let running = UpDownCounter("tasks_running", help: "Tasks that run at the moment.")
    package static let depth = Gauge(
        "task_queue_depth", help: "Tasks that wait or run, by queue; delayed ones, and dead letters that are kept.",
        labels: ["queue"])
    package static let oldest = Gauge(
        "task_queue_oldest_age_seconds", unit: .seconds, help: "Age of the oldest task that waits or runs.",
        labels: ["queue"])
    package static let leader = Gauge(
        "task_leader", help: "1 in the process that enqueues the service's periodic tasks, else 0.")

    package static let failed = LogEvent(
        "task.failed", level: .warn, help: "A run of a task failed; the task is tried again.")
    package static let deadLettered = LogEvent(
        "task.dead_lettered", level: .error, help: "A task was given up and lies with the dead letters.")
    package static let refused = LogEvent("task.refused", help: "A task's handler said no for good.")
    package static let lost = LogEvent(
        "task.lost", level: .warn,
        help: "A task was taken over by another worker while it ran here: this one was too slow to say it lives.")
    package static let queueFailed = LogEvent(
        "task.queue_failed", level: .warn, help: "Redis could not be asked for tasks; it is asked again.")
    package static let leading = LogEvent(
        "task.leading", help: "This process enqueues the service's periodic tasks from now on.")

    private static let durations = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900]

    /// Every name that tasks emit.
    package static let declarations = TelemetryDeclarations(
        metrics: [
            enqueued.declaration, runs.declaration, duration.declaration, waited.declaration, retries.declaration,
            dead.declaration, reclaimed.declaration, running.declaration, depth.declaration, oldest.declaration,
            leader.declaration,
        ],
        spans: [
            SpanDeclaration(
                "send {queue}", kind: .producer, help: "A task on its way to Redis.", attributes: spanAttributes),
            SpanDeclaration(
                "process {queue}", kind: .consumer,
                help: "A task being run: below the span that enqueued it, and linked to it.",
                attributes: spanAttributes + [attempt]),
        ],
        events: [failed, deadLettered, refused, lost, queueFailed, leading],
        fields: [taskIDLabel, taskLabel, attemptLabel, .errorType])

    private static let spanAttributes = [
        system, operationName, operationType, destination, messageID, taskName, .serverAddress, .serverPort,
    ]
    private static let system = AttributeKey("messaging.system")
    private static let operationName = AttributeKey("messaging.operation.name")
    private static let operationType = AttributeKey("messaging.operation.type")
    private static let destination = AttributeKey("messaging.destination.name")
    private static let messageID = AttributeKey("messaging.message.id")
    private static let taskName = AttributeKey("vitrine.task.name")
    private static let attempt = AttributeKey("vitrine.task.attempt")

    private static let taskIDLabel = AttributeKey("labels.task_id")
    private static let taskLabel = AttributeKey("labels.task")
    private static let attemptLabel = AttributeKey("labels.attempt")

    let logger: Logger
    let tracer: Tracer
    let enqueued: CounterFamily
    let runs: CounterFamily
    let duration: HistogramFamily
    let waited: HistogramFamily
    let retries: CounterFamily
    let dead: CounterFamily
    let reclaimed: CounterSeries
    let running: GaugeSeries
    let depth: GaugeFamily
    let oldest: GaugeFamily
    let leader: GaugeSeries
    private let peer: DatabaseOperation.Peer

    /// - Parameter redis: where the tasks are kept.
    package init(_ telemetry: Telemetry, redis: RedisClient) {
        peer = redis.peer
        let metrics = telemetry.metrics
        logger = telemetry.logger.named("tasks")
        tracer = telemetry.tracer
        enqueued = metrics.counter(Self.enqueued)
        runs = metrics.counter(Self.runs)
        duration = metrics.histogram(Self.duration)
        waited = metrics.histogram(Self.waited)
        retries = metrics.counter(Self.retries)
        dead = metrics.counter(Self.dead)
        reclaimed = metrics.counter(Self.reclaimed).series()
        running = metrics.upDownCounter(Self.running).series()
        depth = metrics.gauge(Self.depth)
        oldest = metrics.gauge(Self.oldest)
        leader = metrics.gauge(Self.leader).series()
    }

    /// Makes the series of a task that is enqueued here exist from the first scrape.
    package func expectEnqueueing(_ task: String) {
        for outcome in ["accepted", "full", "error"] { _ = enqueued.series(task, outcome) }
    }

    /// Makes the series of a task that is run here exist from the first scrape.
    func expect(_ task: String) {
        for outcome in ["success", "retried", "dead"] { _ = runs.series(task, outcome) }
        _ = duration.series(task)
        _ = waited.series(task)
        _ = retries.series(task)
        _ = dead.series(task)
    }

    /// A span about one task and one queue.
    func startSpan(
        _ verb: String, _ kind: SpanKind, queue: String, entry: TaskEntry, parent: TelemetryContext,
        links: [SpanLink] = []
    ) -> Span {
        let span = tracer.startSpan("\(verb) \(queue)", kind: kind, parent: parent, links: links)
        if span.isRecording {
            span.set(Self.system, "redis")
            span.set(Self.operationName, verb)
            span.set(Self.operationType, verb)
            span.set(Self.destination, queue)
            span.set(Self.messageID, entry.id)
            span.set(Self.taskName, entry.task)
            span.set(.serverAddress, peer.address)
            span.set(.serverPort, peer.port)
            if kind == .consumer { span.set(Self.attempt, entry.attempt) }
        }
        return span
    }

    func log(_ event: LogEvent, _ message: @autoclosure () -> String, _ entry: TaskEntry, error: String? = nil) {
        let errorField = error.map { [Attribute(.errorType, .string($0))] } ?? []
        logger.log(
            event, message(),
            [
                Attribute(Self.taskIDLabel, .string(entry.id)), Attribute(Self.taskLabel, .string(entry.task)),
                Attribute(Self.attemptLabel, .int(entry.attempt)),
            ] + errorField)
    }
}
