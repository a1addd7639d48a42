/// What a selector asks of a label, with a value that satisfies it and one that does not: from these the series of rule
/// tests are made.
package struct Match: Hashable, Sendable, ExpressibleByStringLiteral {
    let operation: String
    let value: String
    let example: String
    let counterExample: String

    package init(stringLiteral value: String) { self = .equals(value) }

    private init(operation: String, value: String, example: String, counterExample: String) {
        self.operation = operation
        self.value = value
        self.example = example
        self.counterExample = counterExample
    }

    /// Exactly this value.
    package static func equals(_ value: String) -> Match {
        Match(operation: "=", value: value, example: value, counterExample: value + "_other")
    }
    /// Any other value.
    package static func not(_ value: String) -> Match {
        Match(operation: "!=", value: value, example: value + "_other", counterExample: value)
    }
    /// One of these values.
    package static func any(of values: [String]) -> Match {
        Match(
            operation: "=~", value: values.joined(separator: "|"), example: values.first ?? "",
            counterExample: "other")
    }
    /// None of these values.
    package static func none(of values: [String]) -> Match {
        Match(
            operation: "!~", value: values.joined(separator: "|"), example: "other",
            counterExample: values.first ?? "")
    }
    /// A regular expression (RE2, anchored).
    package static func matching(_ pattern: String, example: String, counterExample: String) -> Match {
        Match(operation: "=~", value: pattern, example: example, counterExample: counterExample)
    }
    /// Anything but what a regular expression takes.
    package static func notMatching(_ pattern: String, example: String, counterExample: String) -> Match {
        Match(operation: "!~", value: pattern, example: example, counterExample: counterExample)
    }
    /// What a dashboard's variable holds.
    package static func variable(_ name: String) -> Match {
        Match(operation: "=~", value: "$" + name, example: "", counterExample: "")
    }

    func text(_ label: String) -> String { "\(label)\(operation)\(Document.quoted(value))" }
}
