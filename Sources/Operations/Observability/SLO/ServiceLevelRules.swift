/// Recording rules and burn-rate alerts of all promises.
///
/// Two cheap series are recorded for each promise, bad and all events a second over five minutes; every longer window
/// is a ratio of their sums, which weighs events, not time, and costs the same however many series a service has.
struct ServiceLevelRules: Sendable {
    let levels: [ServiceLevel]
    let time: TimeScale

    private static let key = ["job", "slo"]

    private func constants(_ level: ServiceLevel) -> [(name: String, value: String)] { [("slo", level.name)] }

    // MARK: Recordings

    private func bad(_ level: ServiceLevel) -> RecordingRule {
        let window = time.minutes(5)
        // A service without a single failure has no bad series: that is zero, not nothing.
        return RecordingRule(
            "slo:bad:rate5m", level.bad(window).or(level.all(window) * 0), constants: constants(level))
    }

    private func all(_ level: ServiceLevel) -> RecordingRule {
        RecordingRule("slo:all:rate5m", level.all(time.minutes(5)), constants: constants(level))
    }

    /// Every promise has the same names: one selector reads them all.
    private var badSeries: Selector<Level> { bad(levels[0]).series }
    private var allSeries: Selector<Level> { all(levels[0]).series }

    /// The objective of each service, so that rules and panels need no numbers of their own.
    private var objectives: [RecordingRule] {
        levels.flatMap { level in
            level.objectives.map { job, share in
                RecordingRule("slo:objective:ratio", .vector(share), constants: [("job", job), ("slo", level.name)])
            }
        }
    }

    var objective: Selector<Level> { objectives[0].series }

    /// The share of bad events over a window.
    func ratio(_ name: String, _ window: Window) -> RecordingRule {
        let isShort = window.seconds <= time.minutes(5).seconds
        let bad = isShort ? badSeries.now : badSeries.total(window)
        let all = isShort ? allSeries.now : allSeries.total(window)
        // Without events there is no share.
        return RecordingRule("slo:error:ratio\(name)", bad / (all > 0))
    }

    private var windows: [(name: String, window: Window)] {
        [
            ("5m", time.minutes(5)), ("30m", time.minutes(30)), ("1h", time.hours(1)), ("2h", time.hours(2)),
            ("6h", time.hours(6)), ("1d", time.days(1)), ("3d", time.days(3)), ("30d", time.days(ServiceLevel.days)),
        ]
    }

    /// Windows of a day and more move slowly, and cost most.
    private func isLong(_ window: Window) -> Bool { window.seconds >= time.days(1).seconds }

    private func recorded(_ window: Window) -> Selector<Level> {
        let name = windows.first { $0.window == window }?.name ?? window.text
        return ratio(name, window).series
    }

    /// Which part of the budget of 30 days is left: 1 at first, 0 when it is spent, below when the promise is broken.
    var budgetLeft: RecordingRule {
        let spent = ratio("30d", time.days(ServiceLevel.days)).series.now
            .divided(by: PromQL.number(1) - objective.now, .on(Self.key))
        return RecordingRule("slo:budget_left:ratio", PromQL.number(1) - spent)
    }

    // MARK: Alerts

    private func condition(_ burn: BurnRate) -> Condition {
        let budget = PromQL.number(1) - objective.now
        let allowed = burn.factor == 1 ? budget : budget * burn.factor
        let badEvents = badSeries.average(burn.long) * burn.long.seconds
        let expression = recorded(burn.long).now.above(allowed, .on(Self.key))
            .and(recorded(burn.short).now.above(allowed, .on(Self.key)))
            .and(badEvents >= BurnRate.minBadEvents, .on(Self.key))
        return Condition(expression: expression, scenarios: scenarios(burn), history: burn.long)
    }

    private func scenarios(_ burn: BurnRate) -> [Condition.Scenario] {
        let level = levels[0]
        let budget = 1 - (level.objectives.first?.share ?? 0)
        // Enough events that the smallest share is a whole number of them.
        let perMinute = 10_000.0
        func history(_ name: String, share: Double, fires: Bool) -> Condition.Scenario {
            let bad = (perMinute * min(1, share)).rounded()
            return .init(name: name, series: level.samples(bad, perMinute - bad), fires: fires)
        }
        return [
            history("above", share: burn.factor * budget * 1.5, fires: true),
            history("below", share: burn.factor * budget * 0.5, fires: false),
            .init(name: "without traffic", series: level.samples(0, 0), fires: false),
            .init(
                name: "too few bad events to matter",
                series: level.samples((BurnRate.minBadEvents - 1) / (burn.long.seconds / 60), 0),
                fires: false),
            .init(name: "without series", series: [], fires: false),
        ]
    }

    private func alert(_ burn: BurnRate) -> AlertRule {
        AlertRule(
            burn.alert, burn.severity, .platform, burn.severity == .page ? .critical : .high,
            when: condition(burn), for: burn.hold, as: .percent,
            summary: "{{ $labels.job }} spends its {{ $labels.slo }} budget "
                + "\(Document.text(of: burn.factor)) times too fast",
            impact:
                "\(burn.budget) of the error budget of 30 days went within \(burn.long.text): users of this service "
                + "meet more errors, slow answers or late outcomes than they were promised.",
            dashboard: SLODashboard.uid)
    }

    // MARK: Groups

    var file: RuleFile {
        RuleFile(
            "slo",
            [
                RuleGroup("slo-objectives", recordings: objectives),
                RuleGroup("slo-events", recordings: levels.flatMap { [bad($0), all($0)] }),
                RuleGroup(
                    "slo-ratios", recordings: windows.filter { !isLong($0.window) }.map { ratio($0.name, $0.window) }),
                RuleGroup(
                    "slo-long-ratios", interval: time.minutes(2),
                    recordings: windows.filter { isLong($0.window) }.map { ratio($0.name, $0.window) } + [budgetLeft]),
                RuleGroup("slo-alerts", alerts: BurnRate.all(time).map(alert)),
            ])
    }
}
