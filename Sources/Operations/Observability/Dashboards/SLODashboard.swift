/// Promises and their error budgets: what is left, how fast it goes, and who spends it.
struct SLODashboard {
    static let uid = "vitrine-slo"
    let levels: ServiceLevelRules

    var dashboard: Dashboard {
        Dashboard(
            Self.uid, "Vitrine · SLO", "Error budgets of 30 days, burn rates, objectives.", tags: ["slo"],
            variables: [.init(name: "service", label: "job", selector: levels.objective)], rows: [budgets, burning])
    }

    private func selected(_ rule: RecordingRule) -> Selector<Level> {
        rule.series.where("job", .variable("service"))
    }

    private var budgets: Dashboard.Row {
        Dashboard.Row(
            "Budgets",
            [
                .bars(
                    "budget left", .share, .init(selected(levels.budgetLeft).now, "{{job}} {{slo}}"), width: 12,
                    help: "1: nothing was spent in 30 days; 0: all of it; below: the promise is broken."),
                .lines(
                    "budget left", .share, [.init(selected(levels.budgetLeft).now, "{{job}} {{slo}}")], width: 12,
                    thresholds: (0.5, 0.1)),
                .table(
                    "objectives", .share, levels.objective.where("job", .variable("service")).now, width: 24,
                    help: levels.levels.map { "\($0.name): \($0.promise)" }.joined(separator: " ")),
            ])
    }

    private var burning: Dashboard.Row {
        let panels = BurnRate.all(TimeScale()).map { burn -> Panel in
            let ratio = selected(levels.ratio(burn.long.text, burn.long)).now
            let budget = PromQL.number(1) - levels.objective.now
            return .lines(
                "burn rate over \(burn.long.text)", .none,
                [.init(ratio.divided(by: budget, .on(["job", "slo"])), "{{job}} {{slo}}")], width: 12,
                help: "1 spends the budget in exactly 30 days; \(burn.alert) fires above "
                    + "\(Document.text(of: burn.factor)).",
                thresholds: (burn.factor / 2, burn.factor), alert: burn.alert)
        }
        return Dashboard.Row("Burn rates", panels)
    }
}
