import Load
import Testing

@Suite struct LoadTests {
    @Test func theSameSeedArrivesAtTheSameTimes() {
        let plan = LoadPlan(sessionsPerSecond: 50, seconds: 20, seed: 7)
        #expect(plan.arrivals() == plan.arrivals())
        var other = plan
        other.seed = 8
        #expect(plan.arrivals() != other.arrivals())
    }

    @Test func arrivalsKeepTheirRateAndDoNotComeEvenly() {
        let times = LoadPlan(sessionsPerSecond: 100, seconds: 100, seed: 3).arrivals()
        // 10,000 expected; four standard deviations of a Poisson count are 400.
        #expect((9_600...10_400).contains(times.count))
        #expect(times == times.sorted())
        let gaps = zip(times.dropFirst(), times).map { Double($0 - $1) / 1e9 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        // The deviation of exponential gaps equals their mean; even gaps would have none.
        #expect(abs(variance.squareRoot() / mean - 1) < 0.1)
    }

    @Test(arguments: [0.5, 0.9, 0.99, 1.0])
    func percentilesAreWithinThreePercent(_ share: Double) throws {
        var latencies = Latencies()
        for microseconds in 1...100_000 { latencies.record(UInt64(microseconds) * 1_000) }
        let exact = share * 100
        let found = try #require(latencies.percentile(share))
        #expect(found >= exact * 0.999 && found <= exact * 1.033)
    }

    @Test func durationsOutOfRangeAreKept() throws {
        var latencies = Latencies()
        #expect(latencies.percentile(0.5) == nil)
        latencies.record(0)
        latencies.record(.max)
        #expect(latencies.count == 2)
        #expect(latencies.maxNanoseconds == .max)
        #expect(try #require(latencies.percentile(0.5)) <= 0.001)
    }
}
