/// Alerts on how fast an error budget is spent, over two windows each: the long one says that it matters, the short one
/// that it still goes on (Google SRE Workbook, chapter 5; 30 days).
struct BurnRate: Sendable {
    let alert: String
    let severity: AlertRule.Severity
    /// How many times faster than the budget allows.
    let factor: Double
    let long: Window
    let short: Window
    let hold: Window
    /// The share of the budget that is gone when it fires.
    let budget: String

    /// Bad events in the long window below which nobody is told, however large their share: no page on three requests.
    static let minBadEvents = 10.0

    static func all(_ time: TimeScale) -> [BurnRate] {
        [
            BurnRate(
                alert: "ErrorBudgetBurnFast", severity: .page, factor: 14.4, long: time.hours(1),
                short: time.minutes(5), hold: time.minutes(2), budget: "2 %"),
            BurnRate(
                alert: "ErrorBudgetBurn", severity: .page, factor: 6, long: time.hours(6), short: time.minutes(30),
                hold: time.minutes(5), budget: "5 %"),
            BurnRate(
                alert: "ErrorBudgetBurnSlow", severity: .ticket, factor: 3, long: time.days(1), short: time.hours(2),
                hold: time.minutes(15), budget: "10 %"),
            BurnRate(
                alert: "ErrorBudgetBurnTrickle", severity: .ticket, factor: 1, long: time.days(3),
                short: time.hours(6), hold: time.hours(1), budget: "10 %"),
        ]
    }
}
