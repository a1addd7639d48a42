/// A promise to users over 30 days, as a share of events that go well (Google SRE Workbook, chapter 5).
package struct ServiceLevel: Sendable {
    /// `availability`: the value of the label `slo`.
    package let name: String
    /// What is promised, in a sentence.
    package let promise: String
    /// The promised share of each service, by `job`.
    package let objectives: [(job: String, share: Double)]
    /// Bad events a second by `job`, over a window.
    let bad: @Sendable (Window) -> PromQL
    /// All events a second by `job`, over a window.
    let all: @Sendable (Window) -> PromQL
    /// Series in which so many of a hundred events a minute are bad, for rule tests.
    let samples: @Sendable (_ badPerMinute: Double, _ goodPerMinute: Double) -> [Condition.SampleSeries]

    /// Days over which the budget is counted.
    static let days = 30.0

    /// Events of a counter that are bad.
    static func share(
        _ name: String, _ promise: String, of bad: Selector<Cumulative>, in all: Selector<Cumulative>,
        objectives: [(job: String, share: Double)]
    ) -> ServiceLevel {
        let badSample = Sample(bad, besides: all)
        let goodSample = Sample(all, avoiding: bad)
        let job = objectives.first?.job ?? ""
        return ServiceLevel(
            name: name, promise: promise, objectives: objectives, bad: { bad.rate($0).sum(by: "job") },
            all: { all.rate($0).sum(by: "job") },
            samples: { badCount, goodCount in
                [
                    badSample.with("job", job).growing(badCount),
                    goodSample.with("job", job).growing(goodCount),
                ]
            })
    }

    /// Observations of a histogram that take longer than a bucket's bound.
    static func duration(
        _ name: String, _ promise: String, within: Selector<Cumulative>, of count: Selector<Cumulative>,
        objectives: [(job: String, share: Double)]
    ) -> ServiceLevel {
        let withinSample = Sample(within)
        let countSample = Sample(count)
        let job = objectives.first?.job ?? ""
        return ServiceLevel(
            name: name, promise: promise, objectives: objectives,
            bad: { count.rate($0).sum(by: "job") - within.rate($0).sum(by: "job") },
            all: { count.rate($0).sum(by: "job") },
            samples: { badCount, goodCount in
                [
                    withinSample.with("job", job).growing(goodCount),
                    countSample.with("job", job).growing(badCount + goodCount),
                ]
            })
    }
}
