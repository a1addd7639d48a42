import Telemetry
import Testing
import Wiring

@testable import Observability

/// Queries over declared instruments: what they say, and what they refuse.
@Suite struct QueryTests {
    private static let requests = Counter("demo_requests_total", help: "?", labels: ["route", "status"])
    private static let depth = Gauge("demo_depth", help: "?", labels: ["queue"])
    private static let duration = Histogram(
        "demo_duration_seconds", unit: .seconds, help: "?", labels: ["route"], buckets: [0.1, 0.5, 1])

    @Test func anExpressionReadsAsWritten() {
        let failing = Self.requests.series.where("status", .matching("5..", example: "500", counterExample: "200"))
        let share =
            failing.rate(.minutes(5)).sum(by: "job") / Self.requests.series.rate(.minutes(5)).sum(by: "job") > 0.05
        #expect(
            share.text == """
                sum by (job) (rate(demo_requests_total{status=~"5.."}[5m])) \
                / sum by (job) (rate(demo_requests_total[5m])) > 0.05
                """)
        #expect(share.problems == [])
        #expect(share.metrics == ["demo_requests_total"])
        #expect(share.labels == ["job"])
    }

    @Test func operatorsKeepTheirOrder() {
        let depth = Self.depth.series.now
        #expect(((depth + depth) * 2).text == "(demo_depth + demo_depth) * 2")
        #expect((depth - (depth - depth)).text == "demo_depth - (demo_depth - demo_depth)")
        #expect((depth / (depth > 0) > 1).text == "demo_depth / (demo_depth > 0) > 1")
        #expect(depth.or(depth).and(depth).text == "(demo_depth or demo_depth) and demo_depth")
    }

    @Test func aLabelThatTheMetricLacksIsAProblem() {
        let query = Self.requests.series.where("colour", "red").rate(.minutes(5))
        #expect(query.problems == ["demo_requests_total has no label 'colour'"])
        #expect(Self.requests.series.rate(.minutes(5)).sum(by: "colour").problems.count == 1)
    }

    @Test func aLabelThatWasSummedAwayIsAProblem() {
        let byRoute = Self.requests.series.rate(.minutes(5)).sum(by: "route")
        #expect(byRoute.sum(by: "status").problems.count == 1)
        #expect(byRoute.sum(by: "route").problems == [])
    }

    @Test func sidesThatCannotMatchAreAProblem() {
        let byRoute = Self.requests.series.rate(.minutes(5)).sum(by: "route")
        let byStatus = Self.requests.series.rate(.minutes(5)).sum(by: "status")
        #expect((byRoute / byStatus).problems.count == 1)
        #expect((byRoute / byRoute).problems == [])
        #expect(byRoute.divided(by: byStatus, .on(["route"])).problems.count == 1)
    }

    @Test func aQuantileNeedsItsBuckets() {
        let rate = Self.duration.buckets.rate(.minutes(5))
        #expect(rate.sum(by: "route", "le").quantile(0.95).problems == [])
        #expect(rate.sum(by: "route", "le").quantile(0.95).labels == ["route"])
        #expect(rate.sum(by: "route").quantile(0.95).problems.count == 1)
    }

    @Test func aThresholdMustBeABucket() {
        #expect(Self.duration.atMost(0.5).rate(.minutes(5)).problems == [])
        #expect(Self.duration.atMost(0.5).text == "demo_duration_seconds_bucket{le=\"0.5\"}")
        #expect(Self.duration.atMost(0.3).rate(.minutes(5)).problems.count == 1)
    }

    @Test func aLabelOfTheTargetIsRenamedWhenScraped() {
        let runs = Counter("demo_runs_total", help: "?", labels: ["job"])
        #expect(runs.series.rate(.minutes(1)).sum(by: "job", "exported_job").problems == [])
    }

    @Test func aNameThatNothingDeclaresIsAProblem() {
        let declared = DeclaredMetrics(ServiceTable.all)
        #expect(declared.problems(of: Self.depth.series.now, recorded: []) == ["nothing emits or records 'demo_depth'"])
        #expect(declared.problems(of: Self.depth.series.now, recorded: ["demo_depth"]) == [])
        #expect(declared.counter("demo_nothing_total").rate(.minutes(1)).problems.count == 1)
        #expect(declared.gauge("http_requests_total").now.problems.count == 1)
    }

    @Test(arguments: [
        (Window.minutes(5), "5m"), (.hours(36), "36h"), (.days(3), "3d"), (.seconds(90), "90s"),
        (.seconds(2.5), "2500ms"), (.panel, "$__rate_interval"),
    ])
    func windowsAreWrittenInWholeUnits(window: Window, text: String) { #expect(window.text == text) }

    @Test func aScaleShortensWindowsButNotBelowWhatARateNeeds() {
        let drill = TimeScale(divisor: 60)
        #expect(drill.hours(1).text == "1m")
        #expect(drill.minutes(5).text == "5s")
        #expect(drill.minutes(1).text == "5s")
        #expect(drill.minutes(0).seconds == 0)
        #expect(TimeScale().minutes(5).text == "5m")
    }
}
