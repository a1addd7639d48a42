package import Telemetry

/// What a service tells of its own life.
package enum LifecycleTelemetry {
    package static let started = LogEvent("service.started", help: "The service takes requests.")
    package static let stopping = LogEvent("service.stopping", help: "The service drains: it takes no new requests.")
    package static let stopped = LogEvent("service.stopped", help: "The service has stopped.")
    package static let migrated = LogEvent("service.migrated", help: "Migrations were applied to the database.")
    package static let stopTimedOut = LogEvent(
        "service.stop_timed_out", level: .warn, help: "A part of the service did not stop in time and was left behind.")

    /// Every log event of a service's life.
    package static let events: [LogEvent] = [
        started, stopping, stopped, migrated, stopTimedOut, LogLevelRoutes.changed,
    ]
}
