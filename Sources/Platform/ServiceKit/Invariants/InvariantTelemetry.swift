package import Telemetry

/// What the continuous check of invariants tells.
package struct InvariantTelemetry: Sendable {
    package static let violations = Counter(
        "invariant_violations_total",
        help: "Rows found to break an invariant, counted at each look until they are mended.", labels: ["invariant"])
    package static let checked = Counter(
        "invariant_rows_checked_total", help: "Rows held against an invariant.", labels: ["invariant"])

    package static let violated = LogEvent(
        "invariant.violated", level: .error, help: "A row breaks an invariant of the platform.")

    /// Every name that the check emits.
    package static let declarations = TelemetryDeclarations(
        metrics: [violations.declaration, checked.declaration], events: [violated], fields: [invariant, subject])

    private static let invariant = AttributeKey("labels.invariant")
    private static let subject = AttributeKey("labels.subject")

    private let logger: Logger
    private let violations: CounterFamily
    private let checked: CounterFamily

    /// - Parameter invariants: whose series exist from the first scrape.
    init(_ telemetry: Telemetry, _ invariants: [Invariant]) {
        logger = telemetry.logger.named("invariants")
        violations = telemetry.metrics.counter(Self.violations)
        checked = telemetry.metrics.counter(Self.checked)
        for invariant in invariants {
            _ = violations.series(invariant.rawValue)
            _ = checked.series(invariant.rawValue)
        }
    }

    func note(_ check: InvariantCheck, _ rows: [InvariantCheck.Row], maxLines: Int) {
        checked.series(check.invariant.rawValue).add(Double(rows.count))
        let broken = rows.filter { $0.problem != nil }
        guard !broken.isEmpty else { return }
        violations.series(check.invariant.rawValue).add(Double(broken.count))
        for row in broken.prefix(maxLines) {
            logger.log(
                Self.violated, "\(check.invariant.rawValue) is broken (\(check.name)): \(row.problem ?? "")",
                [
                    Attribute(Self.invariant, .string(check.invariant.rawValue)),
                    Attribute(Self.subject, .string(row.subject)),
                ])
        }
    }
}
