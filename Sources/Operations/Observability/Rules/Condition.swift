internal import ServiceKit
internal import Telemetry

/// When an alert fires: the query, and situations in which it must and must not, from which `promtool` unit tests are
/// made. Each maker below gives both, so that they cannot disagree by accident.
package struct Condition: Sendable {
    /// A history of series, and whether the alert fires at its end.
    struct Scenario: Sendable {
        let name: String
        let series: [SampleSeries]
        let fires: Bool
    }

    /// A series with its first value and what it grows by each minute.
    struct SampleSeries: Sendable {
        let series: String
        let first: Double
        let step: Double
    }

    package let expression: PromQL
    let scenarios: [Scenario]
    /// How much history the scenarios hold, before the alert's own `for`.
    let history: Window

    /// Events a minute of scenarios with traffic: well above the least that a condition asks for.
    private static func perMinute(_ events: Double, _ window: Window) -> Double {
        max(100, (events * 4 / max(1, window.seconds / 60)).rounded(.up))
    }

    // MARK: Counters

    /// More than a share of events is bad, and there were enough events to speak of a share.
    static func share(
        of bad: Selector<Cumulative>, in all: Selector<Cumulative>, by labels: [String], above bound: Double,
        over window: Window, atLeast events: Double
    ) -> Condition {
        let perMinute = Self.perMinute(events, window)
        let badSample = Sample(bad, besides: all)
        let goodSample = Sample(all, avoiding: bad)
        func history(_ name: String, badShare: Double, fires: Bool) -> Scenario {
            let badCount = (perMinute * badShare).rounded()
            return Scenario(
                name: name,
                series: [
                    badSample.growing(badCount),
                    goodSample.growing(perMinute - badCount),
                ], fires: fires)
        }
        var scenarios = [
            history("above", badShare: min(1, bound * 2), fires: true),
            history("below", badShare: bound / 2, fires: false),
            Scenario(
                name: "without traffic", series: [badSample.flat(7), goodSample.flat(7)],
                fires: false),
            Scenario(name: "without series", series: [], fires: false),
        ]
        if events > 3 {
            scenarios.append(
                Scenario(
                    name: "three bad events and no other",
                    series: [
                        badSample.growing(3 / (window.seconds / 60)), goodSample.flat(0),
                    ],
                    fires: false))
        }
        let isBad = bad.rate(window).sum(by: labels) / all.rate(window).sum(by: labels) > bound
        return Condition(
            expression: isBad.and(all.increase(window).sum(by: labels) >= events), scenarios: scenarios,
            history: window)
    }

    /// It happened at all.
    static func happened(_ counter: Selector<Cumulative>, by labels: [String], over window: Window) -> Condition {
        let sample = Sample(counter)
        return Condition(
            expression: counter.increase(window).sum(by: labels) > 0,
            scenarios: [
                Scenario(name: "once a minute", series: [sample.growing(1)], fires: true),
                Scenario(name: "long ago only", series: [sample.flat(7)], fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: window)
    }

    /// It happens more often than so many times a second.
    static func rate(
        of counter: Selector<Cumulative>, by labels: [String], above bound: Double, over window: Window
    ) -> Condition {
        let sample = Sample(counter)
        return Condition(
            expression: counter.rate(window).sum(by: labels) > bound,
            scenarios: [
                Scenario(name: "above", series: [sample.growing(bound * 120)], fires: true),
                Scenario(name: "below", series: [sample.growing(bound * 30)], fires: false),
                Scenario(name: "without traffic", series: [sample.flat(7)], fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: window)
    }

    /// A quantile of durations is above a bucket's bound, and there were enough of them.
    static func quantile(
        _ share: Double, of buckets: Selector<Cumulative>, count: Selector<Cumulative>, by labels: [String],
        above bound: Double, over window: Window, atLeast events: Double
    ) -> Condition {
        let perMinute = Self.perMinute(events, window)
        let sample = Sample(buckets)
        let countSample = Sample(count)
        /// All observations fall between `bound` and the next one, or below all bounds.
        func history(_ name: String, slow: Bool, perMinute: Double, fires: Bool) -> Scenario {
            var series = buckets.bounds.map { le in
                sample.with("le", "\(le)").growing(slow && le <= bound ? 0 : perMinute)
            }
            series.append(sample.with("le", "+Inf").growing(perMinute))
            series.append(countSample.growing(perMinute))
            return Scenario(name: name, series: series, fires: fires)
        }
        var isSlow = buckets.rate(window).sum(by: labels + ["le"]).quantile(share) > bound
        if !buckets.bounds.contains(bound) || buckets.bounds.last == bound {
            isSlow = isSlow.noting("\(buckets.name) has no bucket at \(bound) and above")
        }
        return Condition(
            expression: isSlow.and(count.increase(window).sum(by: labels) >= events),
            scenarios: [
                history("above", slow: true, perMinute: perMinute, fires: true),
                history("below", slow: false, perMinute: perMinute, fires: false),
                history("without traffic", slow: true, perMinute: 0, fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: window)
    }

    // MARK: Gauges

    /// The highest of the series is above a bound.
    static func highest(_ gauge: Selector<Level>, by labels: [String], above bound: Double) -> Condition {
        level(gauge, gauge.now.max(by: labels) > bound, firing: bound * 2 + 1, silent: bound / 2)
    }

    /// A series that says 1 when all is well says 0.
    static func isZero(_ gauge: Selector<Level>, by labels: [String]) -> Condition {
        level(gauge, gauge.now.min(by: labels) == 0, firing: 0, silent: 1)
    }

    private static func level(
        _ gauge: Selector<Level>, _ expression: PromQL, firing: Double, silent: Double
    ) -> Condition {
        let sample = Sample(gauge)
        return Condition(
            expression: expression,
            scenarios: [
                Scenario(name: "beyond", series: [sample.flat(firing)], fires: true),
                Scenario(name: "within", series: [sample.flat(silent)], fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: .minutes(0))
    }

    /// One gauge takes up more than a share of another; where the other is zero, nothing is limited.
    static func share(
        of part: Selector<Level>, in whole: Selector<Level>, by labels: [String], above bound: Double
    ) -> Condition {
        let partSample = Sample(part)
        let wholeSample = Sample(whole)
        func history(_ name: String, _ part: Double, _ whole: Double, fires: Bool) -> Scenario {
            Scenario(
                name: name, series: [partSample.flat(part), wholeSample.flat(whole)], fires: fires)
        }
        return Condition(
            expression: part.now.sum(by: labels) / (whole.now.sum(by: labels) > 0) > bound,
            scenarios: [
                history("above", 1_000 * (1 + bound) / 2, 1_000, fires: true),
                history("below", 1_000 * bound / 2, 1_000, fires: false),
                history("without a limit", 1_000, 0, fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: .minutes(0))
    }

    /// What a gauge of Unix seconds tells of lies longer back than a window. Zero means never, and does not count.
    static func older(_ moment: Selector<Level>, by labels: [String], than window: Window) -> Condition {
        let sample = Sample(moment)
        return Condition(
            expression: PromQL.time - (moment.now > 0).max(by: labels) > window.seconds,
            scenarios: [
                Scenario(name: "long ago", series: [sample.flat(30)], fires: true),
                Scenario(name: "just now", series: [sample.growing(60)], fires: false),
                Scenario(name: "never", series: [sample.flat(0)], fires: false),
                Scenario(name: "without series", series: [], fires: false),
            ], history: window)
    }

    /// Targets that Prometheus knows nothing of.
    static func missing(_ jobs: [String]) -> Condition {
        let up = ExternalMetrics.up
        let expressions = jobs.map { up.where("job", .equals($0)).absent }
        let all = expressions.dropFirst().reduce(expressions[0]) { $0.or($1) }
        let present = jobs.map { Sample(up.where("job", .equals($0))).flat(1) }
        return Condition(
            expression: all,
            scenarios: [
                Scenario(name: "one is missing", series: Array(present.dropLast()), fires: true),
                Scenario(name: "all are there", series: present, fires: false),
            ], history: .minutes(0))
    }

    /// Always: the alert that shows that alerts arrive.
    static let always = Condition(
        expression: .vector(1), scenarios: [Scenario(name: "always", series: [], fires: true)], history: .minutes(0))

    // MARK: Processes

    /// The same of what belongs to a process: told by the service that speaks for it, so that a process of many services
    /// gives one alert. The condition's labels must hold `job` and `instance`.
    var ofProcess: Condition {
        let lead = ProcessLead.lead.series
        let sample = Sample(lead)
        func with(_ scenario: Scenario, lead value: Double, name: String? = nil, fires: Bool) -> Scenario {
            Scenario(name: name ?? scenario.name, series: scenario.series + [sample.flat(value)], fires: fires)
        }
        var scenarios = scenarios.map { with($0, lead: 1, fires: $0.fires) }
        if let firing = self.scenarios.first(where: \.fires) {
            scenarios.append(
                with(firing, lead: 0, name: "told by another service of the process", fires: false))
        }
        return Condition(
            expression: expression.and(lead.now == 1, .on(["job", "instance"])), scenarios: scenarios, history: history)
    }
}
