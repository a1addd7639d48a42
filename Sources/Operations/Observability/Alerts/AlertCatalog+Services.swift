internal import Gateway
internal import ServiceKit
internal import Telemetry

/// Alerts on what every service has: it answers, quickly, within its resources, and its jobs run.
extension AlertCatalog {
    private var names: [String] { services.map(\.name) }

    var targetAlerts: [AlertRule] {
        [
            AlertRule(
                "ServiceMissing", .page, .platform, .critical, when: .missing(names), for: time.minutes(2), as: .count,
                summary: "{{ $labels.job }} is not scraped: Prometheus does not know it",
                impact: "Nobody would see this service fail: its target is gone from the configuration or discovery.",
                dashboard: OverviewDashboard.uid),
            AlertRule(
                "ServiceDown", .page, .platform, .critical,
                when: .isZero(ExternalMetrics.up.where("job", .any(of: names)), by: ["job", "instance"]),
                for: time.minutes(1), as: .count, summary: "{{ $labels.job }} on {{ $labels.instance }} is down",
                impact: "Requests to this service fail, and events wait in its queues.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }

    var serviceAlerts: [AlertRule] { answering + resources + runtime + gateway }

    private var answering: [AlertRule] {
        let requests = HTTPTelemetry.requests.series.where("route", .userRoute)
        let durations = HTTPTelemetry.duration
        return [
            AlertRule(
                "HighErrorRate", .page, .platform, .critical,
                when: .share(
                    of: requests.where("status", .serverError), in: requests, by: ["job"], above: 0.05,
                    over: time.minutes(5), atLeast: 20),
                for: time.minutes(1), as: .percent, summary: "{{ $labels.job }} fails more than 5 % of its requests",
                impact: "More than one request in twenty ends with an error of ours.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "HighLatencyP95", .page, .platform, .high,
                when: .quantile(
                    0.95, of: durations.buckets.where("route", .userRoute),
                    count: durations.count.where("route", .userRoute), by: ["job"], above: 1, over: time.minutes(5),
                    atLeast: 20),
                for: time.minutes(2), as: .seconds,
                summary: "{{ $labels.job }} takes more than a second for one request in twenty",
                impact: "Pages feel stuck; clients run into their deadlines and try again, which adds load.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "HighLatencyP99", .ticket, .platform, .normal,
                when: .quantile(
                    0.99, of: durations.buckets.where("route", .userRoute),
                    count: durations.count.where("route", .userRoute), by: ["job"], above: 0.5,
                    over: time.minutes(10), atLeast: 100),
                for: time.minutes(5), as: .seconds,
                summary: "{{ $labels.job }} takes more than 500 ms for one request in a hundred",
                impact: "A few users wait noticeably; the tail is where overload shows first.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }

    private var resources: [AlertRule] {
        [
            AlertRule(
                "MemoryHigh", .page, .platform, .high,
                when: .share(
                    of: declared.gauge("process_resident_memory_bytes"),
                    in: declared.gauge("process_memory_limit_bytes"), by: ["job", "instance"], above: 0.9
                ).ofProcess,
                for: time.minutes(5), as: .percent,
                summary: "the process of {{ $labels.job }} uses more than 90 % of the memory it may have",
                impact: "The kernel is about to end the process: requests under way would be cut off.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "DescriptorsHigh", .ticket, .platform, .high,
                when: .share(
                    of: declared.gauge("process_open_fds"), in: declared.gauge("process_max_fds"),
                    by: ["job", "instance"], above: 0.8
                ).ofProcess,
                for: time.minutes(5), as: .percent,
                summary: "the process of {{ $labels.job }} has opened more than 80 % of its file descriptors",
                impact: "When none is left, the service takes no connection and reaches no database.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "ConnectionsRefused", .ticket, .platform, .high,
                when: .happened(HTTPTelemetry.refusedConnections.series, by: ["job"], over: time.minutes(5)),
                for: time.minutes(2), as: .count, summary: "{{ $labels.job }} turns connections away",
                impact: "Some clients get 503 before their request is read: there are more connections than allowed.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }

    private var runtime: [AlertRule] {
        [
            AlertRule(
                "EventLoopBlocked", .ticket, .platform, .high,
                when: .quantile(
                    0.99, of: declared.buckets("event_loop_lag_seconds"),
                    count: declared.count("event_loop_lag_seconds"), by: ["job", "instance"], above: 0.1,
                    over: time.minutes(5), atLeast: 20
                ).ofProcess,
                for: time.minutes(5), as: .seconds,
                summary: "an event loop of the process of {{ $labels.job }} keeps others waiting for more than 100 ms",
                impact:
                    "Every request on that loop waits, whatever it asks for: the service is out of CPU, or something blocks.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "WorkerPoolRefusing", .page, .platform, .high,
                when: .happened(
                    declared.counter("worker_pool_refused_total"), by: ["job", "instance", "pool"],
                    over: time.minutes(5)
                ).ofProcess,
                for: time.minutes(1), as: .count,
                summary: "the threads '{{ $labels.pool }}' of the process of {{ $labels.job }} take no more work",
                impact:
                    "What these threads do fails at once: log-ins wait for password hashes, letters for the mail server.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }

    private var gateway: [AlertRule] {
        [
            AlertRule(
                "BreakerOpen", .page, .platform, .high,
                when: .highest(GatewayTelemetry.breakerOpen.series, by: ["job", "upstream"], above: 0),
                for: time.minutes(1), as: .count, summary: "the gateway refuses requests to {{ $labels.upstream }}",
                impact: "Requests to this service get 503 at once, because most of the last ones failed.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "ManyClientsLimited", .ticket, .platform, .normal,
                when: .rate(
                    of: GatewayTelemetry.limited.series, by: ["job", "class"], above: 5, over: time.minutes(5)),
                for: time.minutes(5), as: .perSecond,
                summary: "the gateway limits {{ $labels.class }} clients more than five times a second",
                impact: "Somebody sends far too much, or the limits are too low for honest users.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }

    /// Jobs that rightly run only now and then.
    private static let rareJobs = Match.notMatching("prune_.*", example: "saga_timeouts", counterExample: "prune_x")

    var jobAlerts: [AlertRule] {
        [
            AlertRule(
                "JobFailing", .ticket, .platform, .high,
                when: .share(
                    of: JobTelemetry.runs.series.where("outcome", .equals("failure")), in: JobTelemetry.runs.series,
                    by: ["job", "exported_job"], above: 0.5, over: time.minutes(10), atLeast: 3),
                for: time.minutes(5), as: .percent,
                summary: "the job {{ $labels.exported_job }} of {{ $labels.job }} fails more often than not",
                impact: "What the job does every so often stays undone, and piles up.",
                dashboard: ServiceDashboard.uidPrefix),
            AlertRule(
                "JobStale", .page, .platform, .high,
                when: .older(
                    JobTelemetry.lastSuccess.series.where("exported_job", Self.rareJobs),
                    by: ["job", "exported_job"], than: time.minutes(5)),
                for: time.minutes(1), as: .seconds,
                summary: "the job {{ $labels.exported_job }} of {{ $labels.job }} has not succeeded for long",
                impact: "Orders are not moved on, letters not sent or gauges not renewed, depending on the job.",
                dashboard: ServiceDashboard.uidPrefix),
        ]
    }
}
