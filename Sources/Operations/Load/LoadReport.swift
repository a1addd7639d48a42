internal import Values

/// What a run showed, for people and for programs.
package struct LoadReport: Sendable {
    private let plan: LoadPlan
    private let tally: LoadTally.Snapshot
    private let seconds: Double

    /// - Parameter seconds: that the run took.
    package init(_ plan: LoadPlan, _ tally: LoadTally.Snapshot, seconds: Double) {
        self.plan = plan
        self.tally = tally
        self.seconds = seconds
    }

    /// Whether the platform answered everything, and every order came to an end.
    package var isClean: Bool { tally.failures == 0 && tally.unfinished == 0 }

    package var text: String {
        var lines = [row("", ["requests", "ok", "refused", "failed", "p50 ms", "p90 ms", "p99 ms", "max ms"])]
        for step in LoadStep.allCases {
            guard let line = tally.lines[step] else { continue }
            lines.append(
                row(
                    step.rawValue,
                    ["\(line.total)", "\(line.succeeded)", "\(line.refused)", "\(line.failed)"] + times(line.latencies))
            )
        }
        lines.append(
            row("order to outcome", ["\(tally.journeys.count)", "", "", ""] + times(tally.journeys)))
        lines.append("")
        lines.append(
            "\(tally.begun) sessions, \(tally.requests) requests in \(tenths(seconds)) s "
                + "(\(tenths(Double(tally.requests) / max(seconds, 0.001))) a second)")
        lines.append(
            "orders: \(tally.delivered) delivered, \(tally.cancelled) cancelled, \(tally.unfinished) without an outcome"
        )
        if tally.skipped > 0 {
            lines.append(
                "\(tally.skipped) sessions did not begin: no shopper was free (--shoppers), or too many visited")
        }
        for (problem, count) in tally.problems.sorted(by: { $0.value > $1.value }) {
            lines.append("failed \(count) times: \(problem)")
        }
        return lines.joined(separator: "\n")
    }

    /// One line about where it stands.
    package static func progress(_ tally: LoadTally.Snapshot, second: Int, of seconds: Int) -> String {
        let slow = LoadStep.allCases.filter { $0 != .follow }.reduce(into: Latencies()) {
            if let line = tally.lines[$1] { $0.add(line.latencies) }
        }
        return
            "\(second)/\(seconds) s  sessions \(tally.begun) (\(tally.underWay) under way)  requests \(tally.requests)"
            + "  failed \(tally.failures)  p99 \(slow.percentile(0.99).map(tenths) ?? "-") ms"
    }

    // MARK: JSON

    private struct Document: Encodable {
        struct Step: Encodable {
            let name: String
            let requests: Int
            let succeeded: Int
            let refused: Int
            let failed: Int
            let p50_ms: Double?
            let p90_ms: Double?
            let p99_ms: Double?
            let max_ms: Double
        }
        let sessions_per_second: Double
        let seed: UInt64
        let seconds: Double
        let sessions: Int
        let sessions_skipped: Int
        let orders_delivered: Int
        let orders_cancelled: Int
        let orders_unfinished: Int
        let order_to_outcome_p50_ms: Double?
        let order_to_outcome_p99_ms: Double?
        let steps: [Step]
        let problems: [String: Int]
    }

    /// The same as a value that encodes to JSON.
    package var document: any Encodable {
        Document(
            sessions_per_second: plan.sessionsPerSecond, seed: plan.seed, seconds: seconds, sessions: tally.begun,
            sessions_skipped: tally.skipped, orders_delivered: tally.delivered, orders_cancelled: tally.cancelled,
            orders_unfinished: tally.unfinished, order_to_outcome_p50_ms: tally.journeys.percentile(0.5),
            order_to_outcome_p99_ms: tally.journeys.percentile(0.99),
            steps: LoadStep.allCases.compactMap { step in
                tally.lines[step].map { line in
                    Document.Step(
                        name: step.rawValue, requests: line.total, succeeded: line.succeeded, refused: line.refused,
                        failed: line.failed, p50_ms: line.latencies.percentile(0.5),
                        p90_ms: line.latencies.percentile(0.9), p99_ms: line.latencies.percentile(0.99),
                        max_ms: Double(line.latencies.maxNanoseconds) / 1e6)
                }
            }, problems: tally.problems)
    }

    // MARK: Layout

    private func row(_ name: String, _ cells: [String]) -> String {
        pad(name, 20) + cells.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private func times(_ latencies: Latencies) -> [String] {
        [0.5, 0.9, 0.99].map { latencies.percentile($0).map(Self.tenths) ?? "-" }
            + [Self.tenths(Double(latencies.maxNanoseconds) / 1e6)]
    }

    private func tenths(_ value: Double) -> String { Self.tenths(value) }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
