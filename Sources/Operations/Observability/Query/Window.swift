/// A length of time in a query.
package struct Window: Hashable, Sendable {
    /// Milliseconds; nil for what Grafana finds fit for a panel's zoom.
    private let milliseconds: Int?

    /// Grafana's window for rates: at least four scrapes, growing with the zoom.
    package static let panel = Window(milliseconds: nil)

    private init(milliseconds: Int?) { self.milliseconds = milliseconds }

    package static func seconds(_ count: Double) -> Window { Window(milliseconds: Int((count * 1_000).rounded())) }
    package static func minutes(_ count: Double) -> Window { seconds(count * 60) }
    package static func hours(_ count: Double) -> Window { seconds(count * 3_600) }
    package static func days(_ count: Double) -> Window { seconds(count * 86_400) }

    /// Seconds; zero for a panel's window.
    package var seconds: Double { Double(milliseconds ?? 0) / 1_000 }

    /// As Prometheus writes it: `5m`, `1h`, `3d`.
    package var text: String {
        guard let milliseconds else { return "$__rate_interval" }
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if milliseconds >= size, milliseconds % size == 0 { return "\(milliseconds / size)\(unit)" }
        }
        return "\(milliseconds)ms"
    }
}

/// Windows of rules, all shortened by one factor for drills: the same expressions in minutes instead of hours.
package struct TimeScale: Sendable {
    /// 1 in production.
    package let divisor: Double
    /// - Parameter divisor: at least 1.
    package init(divisor: Double = 1) { self.divisor = max(1, divisor) }

    /// Rates need several scrapes: no window becomes shorter than this.
    private static let shortestSeconds = 5.0

    package func seconds(_ count: Double) -> Window { .seconds(max(min(count, Self.shortestSeconds), count / divisor)) }
    package func minutes(_ count: Double) -> Window { seconds(count * 60) }
    package func hours(_ count: Double) -> Window { seconds(count * 3_600) }
    package func days(_ count: Double) -> Window { seconds(count * 86_400) }
}
