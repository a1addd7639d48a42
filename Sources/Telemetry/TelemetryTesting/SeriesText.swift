/// A series name such as `x_total{a="b",c="d"}` taken apart, so that two compare whatever the order of their labels.
struct SeriesText: Equatable {
    private let name: Substring
    private let labels: [String: String]

    /// The names of its labels.
    var labelNames: [String] { Array(labels.keys) }

    /// Nil when the text is not a series.
    init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let brace = text.firstIndex(of: "{") else {
            name = text
            labels = [:]
            return
        }
        name = text[..<brace]
        var labels: [String: String] = [:]
        var rest = text[text.index(after: brace)...]
        while let first = rest.first, first != "}" {
            guard let equals = rest.firstIndex(of: "=") else { return nil }
            let key = String(rest[..<equals])
            rest = rest[equals...].dropFirst()
            guard rest.first == "\"" else { return nil }
            rest = rest.dropFirst()
            var value = ""
            while let character = rest.first, character != "\"" {
                rest = rest.dropFirst()
                value.append(character)
                // An escape keeps its backslash: both sides are escaped alike.
                if character == "\\", let escaped = rest.popFirst() { value.append(escaped) }
            }
            guard rest.popFirst() == "\"" else { return nil }
            labels[key] = value
            if rest.first == "," { rest = rest.dropFirst() }
        }
        guard rest == "}" else { return nil }
        self.labels = labels
    }
}
