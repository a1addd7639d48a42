/// A PromQL expression put together from declared instruments. It knows which labels its result has: an operation
/// that would match nothing, or names a label that is not there, is noted as a problem.
package struct PromQL: Sendable {
    package let text: String
    /// What the series of the result are told apart by.
    package let labels: Set<String>
    /// Every metric or recording rule that is read.
    package let metrics: Set<String>
    /// What is wrong with it, a sentence each.
    package let problems: [String]
    let isScalar: Bool
    private let precedence: Int

    private static let atom = 9

    init(
        _ text: String, labels: Set<String>, metrics: Set<String>, problems: [String] = [], isScalar: Bool = false,
        precedence: Int = PromQL.atom
    ) {
        self.text = text
        self.labels = labels
        self.metrics = metrics
        self.problems = problems
        self.isScalar = isScalar
        self.precedence = precedence
    }

    /// A number.
    package static func number(_ value: Double) -> PromQL {
        PromQL(Document.text(of: value), labels: [], metrics: [], isScalar: true)
    }
    /// Seconds since 1970.
    package static let time = PromQL("time()", labels: [], metrics: [], isScalar: true)
    /// One series without labels.
    package static func vector(_ value: Double) -> PromQL {
        PromQL("vector(\(Document.text(of: value)))", labels: [], metrics: [])
    }

    // MARK: Aggregation

    package func sum(by labels: String...) -> PromQL { aggregate("sum", labels) }
    package func sum(by labels: [String]) -> PromQL { aggregate("sum", labels) }
    package func max(by labels: String...) -> PromQL { aggregate("max", labels) }
    package func max(by labels: [String]) -> PromQL { aggregate("max", labels) }
    package func min(by labels: String...) -> PromQL { aggregate("min", labels) }
    package func min(by labels: [String]) -> PromQL { aggregate("min", labels) }
    package func count(by labels: String...) -> PromQL { aggregate("count", labels) }
    package func count(by labels: [String]) -> PromQL { aggregate("count", labels) }

    private func aggregate(_ operation: String, _ by: [String]) -> PromQL {
        let unknown = by.filter { !labels.contains($0) }
        let head = by.isEmpty ? operation : "\(operation) by (\(by.joined(separator: ", ")))"
        return PromQL(
            "\(head) (\(text))", labels: Set(by), metrics: metrics,
            problems: problems + unknown.map { "there is no label '\($0)' in \(text)" })
    }

    /// The `count` largest.
    package func largest(_ count: Int) -> PromQL {
        PromQL("topk(\(count), \(text))", labels: labels, metrics: metrics, problems: problems)
    }

    /// The quantile of histogram buckets, which still have `le`.
    /// - Parameter share: 0 to 1.
    package func quantile(_ share: Double) -> PromQL {
        PromQL(
            "histogram_quantile(\(Document.text(of: share)), \(text))", labels: labels.subtracting(["le"]),
            metrics: metrics, problems: problems + (labels.contains("le") ? [] : ["\(text) has lost its buckets"]))
    }

    /// The share of these in all: zero, not nothing, where there is none of these yet.
    package func share(of all: PromQL) -> PromQL { or(all * 0) / all }

    /// The same expression with something wrong about it.
    func noting(_ problem: String) -> PromQL {
        PromQL(
            text, labels: labels, metrics: metrics, problems: problems + [problem], isScalar: isScalar,
            precedence: precedence)
    }

    // MARK: Operators

    /// Which series of two sides belong together.
    package enum Matching: Sendable {
        /// Those with all labels alike.
        case all
        /// Those with these labels alike, one to one.
        case on([String])
        /// Those with these labels alike; several on the left to one on the right.
        case manyToOne([String])
    }

    package static func / (a: PromQL, b: PromQL) -> PromQL { a.divided(by: b) }
    package static func * (a: PromQL, b: PromQL) -> PromQL { a.binary("*", b, 5, .all) }
    package static func + (a: PromQL, b: PromQL) -> PromQL { a.binary("+", b, 4, .all) }
    package static func - (a: PromQL, b: PromQL) -> PromQL { a.binary("-", b, 4, .all) }
    package static func > (a: PromQL, b: PromQL) -> PromQL { a.binary(">", b, 3, .all) }
    package static func < (a: PromQL, b: PromQL) -> PromQL { a.binary("<", b, 3, .all) }
    package static func >= (a: PromQL, b: PromQL) -> PromQL { a.binary(">=", b, 3, .all) }
    package static func == (a: PromQL, b: PromQL) -> PromQL { a.binary("==", b, 3, .all) }
    package static func * (a: PromQL, b: Double) -> PromQL { a * .number(b) }
    package static func / (a: PromQL, b: Double) -> PromQL { a / .number(b) }
    package static func > (a: PromQL, b: Double) -> PromQL { a > .number(b) }
    package static func < (a: PromQL, b: Double) -> PromQL { a < .number(b) }
    package static func >= (a: PromQL, b: Double) -> PromQL { a >= .number(b) }
    package static func == (a: PromQL, b: Double) -> PromQL { a == .number(b) }

    package func divided(by other: PromQL, _ matching: Matching = .all) -> PromQL { binary("/", other, 5, matching) }
    package func times(_ other: PromQL, _ matching: Matching) -> PromQL { binary("*", other, 5, matching) }
    package func above(_ other: PromQL, _ matching: Matching) -> PromQL { binary(">", other, 3, matching) }
    /// Series of the left side that have a partner on the right.
    package func and(_ other: PromQL, _ matching: Matching = .all) -> PromQL { binary("and", other, 2, matching) }
    /// Series of the left side, and those of the right that have no partner there.
    package func or(_ other: PromQL) -> PromQL { binary("or", other, 1, .all) }

    private func binary(_ operation: String, _ other: PromQL, _ level: Int, _ matching: Matching) -> PromQL {
        var problems = problems + other.problems
        var middle = operation
        switch matching {
        case .all:
            let isVectorPair = !isScalar && !other.isScalar
            if isVectorPair, labels != other.labels {
                problems.append(
                    "nothing matches in \(text) \(operation) \(other.text): "
                        + "labels \(labels.sorted()) and \(other.labels.sorted())")
            }
        case .on(let names), .manyToOne(let names):
            middle += " on (\(names.joined(separator: ", ")))"
            for name in names where !labels.contains(name) || !other.labels.contains(name) {
                problems.append("there is no label '\(name)' on both sides of \(text) \(operation) \(other.text)")
            }
            if case .manyToOne = matching, level > 2 { middle += " group_left ()" }
        }
        // Operators of one level group from the left.
        let left = precedence < level ? "(\(text))" : text
        let right = other.precedence <= level ? "(\(other.text))" : other.text
        let result: Set<String> =
            switch matching {
            case .on(let names) where level > 2: Set(names)
            default: isScalar ? other.labels : labels
            }
        return PromQL(
            "\(left) \(middle) \(right)", labels: result, metrics: metrics.union(other.metrics), problems: problems,
            isScalar: isScalar && other.isScalar, precedence: level)
    }
}
