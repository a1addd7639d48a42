import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// Finding series by their label values: from many threads, through growth, whatever the values are.
@Suite struct SeriesLookupTests {
    private let capture = TelemetryCapture()
    private var metrics: MetricRegistry { capture.telemetry.metrics }

    static let visits = Counter("visits_total", help: "Visits.", labels: ["page", "kind"])

    @Test func aSeriesIsTheSameThroughGrowthAndForEveryWayToAsk() {
        let family = metrics.counter(Self.visits)
        let first = (0..<1_500).map { family.series("/\($0)", "human") }
        for (index, series) in first.enumerated() {
            #expect(family.series("/\(index)", "human") === series)
            #expect(family.series(["/\(index)", "human"]) === series)
        }
        #expect(Set(first.map(ObjectIdentifier.init)).count == 1_500)
        let labels = ["a", "b", "c", "d", "e"]
        for count in 0...5 {
            let gauges = metrics.gauge(
                Gauge("g\(count)", help: "Of \(count) labels.", labels: Array(labels.prefix(count))))
            let values = Array(["1", "2", "3", "4", "5"].prefix(count))
            let expected = gauges.series(values)
            switch count {
            case 0: #expect(gauges.series() === expected)
            case 1: #expect(gauges.series("1") === expected)
            case 2: #expect(gauges.series("1", "2") === expected)
            case 3: #expect(gauges.series("1", "2", "3") === expected)
            case 4: #expect(gauges.series("1", "2", "3", "4") === expected)
            default: #expect(gauges.series("1", "2", "3", "4", "5") === expected)
            }
        }
    }

    @Test func valuesOfEveryLengthAndFormAreToldApart() {
        let family = metrics.counter(Self.visits)
        // Around the steps of the hash: 0 to 40 bytes, each differing in one place only.
        var values = [""]
        for length in 1...40 {
            for place in 0..<length {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                bytes[place] = UInt8(ascii: "b")
                values.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        for value in values { family.series(value, "x").increment() }
        #expect(family.allSeries.count == values.count)
        #expect(family.allSeries.allSatisfy { $0.value == 1 })
        // Where one value ends and the next begins matters.
        #expect(family.series("ab", "c") !== family.series("a", "bc"))
        #expect(family.series("", "ab") !== family.series("ab", ""))
        // Prometheus compares bytes: the two forms of é are two values.
        #expect(family.series("caf\u{E9}", "x") !== family.series("cafe\u{301}", "x"))
    }

    @Test func threadsThatRaceForNewSeriesLoseNoIncrement() {
        let family = metrics.counter(Self.visits)
        let threads = ThreadGroup(count: 24) {
            for index in 0..<1_000 { family.series("/\(index % 700)", "human").increment() }
        }
        threads.join()
        #expect(family.allSeries.count == 700)
        #expect(family.allSeries.reduce(0) { $0 + $1.value } == 24_000)
    }

    @Test func seriesAreShownInTheOrderOfTheirValues() {
        let family = metrics.counter(Self.visits)
        for page in ["b", "ab", "a", "", "a\u{0}", "\u{10FFFF}", "é"].shuffled() {
            family.series(page, "x").increment()
        }
        let pages = capture.text.split(separator: "\n").filter { $0.hasPrefix("visits_total{") }
        #expect(
            pages.map { String($0.dropFirst(#"visits_total{page=""#.count).prefix { $0 != "\"" }) }
                == ["", "a", "a\u{0}", "ab", "b", "é", "\u{10FFFF}"])
    }

    @Test func declaredValuesAreThereAtZero() {
        _ = metrics.counter(
            Counter("logins_total", help: "Logins.", labels: ["status"], initial: [["success"], ["failure"]]))
        _ = metrics.histogram(
            Histogram("login_seconds", unit: .seconds, help: "Logins.", labels: ["status"], initial: [["success"]]))
        #expect(capture.value(#"logins_total{status="success"}"#) == 0)
        #expect(capture.value(#"logins_total{status="failure"}"#) == 0)
        #expect(capture.value(#"login_seconds_count{status="success"}"#) == 0)
    }

    @Test func ordinalsOfEndedThreadsAreGivenAgain() {
        let counter = metrics.counter(Counter("ends_total", help: "Threads.")).series()
        let highest = Atomic<Int>(0)
        for _ in 0..<300 {
            ThreadGroup(count: 1) {
                counter.increment()
                highest.max(ThreadOrdinal.current, ordering: .relaxed)
            }.join()
        }
        #expect(counter.value == 300)
        // Other tests run threads too, but not as many at once.
        #expect(highest.load(ordering: .relaxed) < 200)
    }
}
