internal import ServiceKit
internal import Tasks

/// Alerts on tasks: what is given up, and what nobody takes.
extension AlertCatalog {
    var taskAlerts: [AlertRule] {
        [
            AlertRule(
                "TaskDeadLetters", .ticket, .platform, .high,
                when: .happened(TaskTelemetry.dead.series, by: ["job", "task"], over: time.minutes(10)),
                for: time.minutes(0), as: .count, summary: "{{ $labels.job }} gave up a {{ $labels.task }}",
                impact: "This piece of work is not done until somebody looks at it and replays it.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "TasksStale", .page, .platform, .high,
                when: .highest(TaskTelemetry.oldest.series, by: ["job", "queue"], above: 900), for: time.minutes(2),
                as: .seconds,
                summary:
                    "a task in the queue {{ $labels.queue }} of {{ $labels.job }} waits or runs for a quarter of an hour",
                impact: "Work comes late: no worker runs, too few do, or one task takes very long.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }
}
