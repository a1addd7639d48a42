/// One series that a selector takes, for rule tests: every label has a value, those of its matches first.
struct Sample {
    private let name: String
    private var values: [(label: String, value: String)]

    /// What labels are where nothing is asked of them.
    private static let usual = [
        "job": "orders", "instance": "127.0.0.1:8002", "service": "orders", "method": "GET",
        "route": "/order-api/orders/{id}", "status": "200", "outcome": "success",
    ]

    /// - Parameter besides: a wider selector of the same series, whose matches hold too.
    init<A, B>(_ selector: Selector<A>, besides other: Selector<B>) {
        self.init(selector.name, selector.declaredLabels, selector.matches + other.matches)
    }

    init<A>(_ selector: Selector<A>) { self.init(selector.name, selector.declaredLabels, selector.matches) }

    /// - Parameter avoiding: a narrower selector of the same series, which must not take this one.
    init<A, B>(_ selector: Selector<A>, avoiding other: Selector<B>) {
        self.init(selector)
        for (label, match) in other.matches where !selector.matches.contains(where: { $0.label == label }) {
            set(label, match.counterExample)
        }
    }

    private init(_ name: String, _ labels: [String], _ matches: [(label: String, match: Match)]) {
        self.name = name
        values = labels.map { label in
            (label, matches.first { $0.label == label }?.match.example ?? Self.usual[label] ?? "x")
        }
    }

    private mutating func set(_ label: String, _ value: String) {
        values.removeAll { $0.label == label }
        values.append((label, value))
    }

    /// The same series with another value of one label.
    func with(_ label: String, _ value: String) -> Sample {
        var result = self
        result.set(label, value)
        return result
    }

    private var series: String {
        name + "{"
            + values.filter { !$0.value.isEmpty }.map { "\($0.label)=\(Document.quoted($0.value))" }
            .joined(separator: ", ") + "}"
    }

    /// A counter that grows evenly.
    func growing(_ perMinute: Double) -> Condition.SampleSeries { .init(series: series, first: 0, step: perMinute) }

    /// The same value all the time.
    func flat(_ value: Double) -> Condition.SampleSeries { .init(series: series, first: value, step: 0) }
}
