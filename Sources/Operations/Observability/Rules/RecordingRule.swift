/// A query that Prometheus answers beforehand, under a name of its own.
package struct RecordingRule: Sendable {
    /// `level:metric:operation`, as Prometheus recommends.
    package let name: String
    package let expression: PromQL
    /// Labels that every series gets.
    package let constants: [(name: String, value: String)]

    init(_ name: String, _ expression: PromQL, constants: [(name: String, value: String)] = []) {
        self.name = name
        self.expression = expression
        self.constants = constants
    }

    /// Its series, for other queries.
    package var series: Selector<Level> {
        Selector(
            name: name, metric: name, labels: expression.labels.sorted() + constants.map(\.name), isScraped: false)
    }

    var document: Document {
        .object([
            ("record", .string(name)), ("expr", .string(expression.text)),
            (
                "labels",
                constants.isEmpty ? nil : .object(constants.map { Document.Member($0.name, .string($0.value)) })
            ),
        ])
    }
}
