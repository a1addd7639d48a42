package import Telemetry

/// What can be made to go wrong on purpose, for drills. The switches exist only where `VITRINE_FAULTS=enabled`.
package enum Fault: String, CaseIterable, Codable, Sendable {
    /// A share of requests fails with 500. `only`: routes that contain it.
    case errors
    /// Requests wait for so many milliseconds before they are handled. `only`: routes that contain it.
    case latency
    /// `/metrics` and health wait for so many milliseconds.
    case slowScrapes = "slow-scrapes"
    /// A share of payments is declined.
    case declines
    /// Every connection of the database pool is taken.
    case busyPool = "busy-pool"
    /// Messages are taken and not handled. `only`: the event.
    case pausedConsumers = "paused-consumers"
    /// Messages are handled in vain. `only`: the event.
    case failingConsumers = "failing-consumers"
    /// Nothing leaves the outbox.
    case stoppedRelay = "stopped-relay"
    /// A share of log-ins fails although the password is right.
    case failedLogins = "failed-logins"
    /// Periodic jobs fail. `only`: the job.
    case failingJobs = "failing-jobs"
    /// So many MiB of memory are held.
    case ballast
    /// A metric gets so many label sets.
    case labels
}

/// How much of a fault.
package struct FaultSetting: Codable, Sendable {
    /// A share, milliseconds, MiB or a count, as the fault says.
    package let amount: Double
    /// What it is limited to; nil for everything.
    package let only: String?

    package init(amount: Double = 1, only: String? = nil) {
        self.amount = amount
        self.only = only
    }

    func concerns(_ what: String) -> Bool { only.map { what.contains($0) } ?? true }

    /// Whether it hits this time.
    var hits: Bool { amount >= 1 || Double.random(in: 0..<1) < amount }
}

/// What a fault on purpose looks like to whoever meets it.
struct InjectedFault: Error, ErrorTypeProviding, CustomStringConvertible {
    let fault: Fault
    var errorType: String { "injected" }
    var description: String { "the fault '\(fault.rawValue)' is switched on" }
}

/// What fault switches tell of themselves, so that nobody takes a drill for an accident.
package struct FaultTelemetry: Sendable {
    package static let active = Gauge(
        "fault_active", help: "1 while a fault is switched on for a drill.", labels: ["fault"])
    package static let labels = Counter(
        "fault_labels_total", help: "What the fault 'labels' counts, under too many labels.", labels: ["detail"])

    static let switched = LogEvent(
        "fault.switched", level: .warn, help: "A fault was switched on or off for a drill.")

    static let declarations = TelemetryDeclarations(
        metrics: [active.declaration, labels.declaration], events: [switched], fields: [faultLabel])

    static let faultLabel = AttributeKey("labels.fault")
}
