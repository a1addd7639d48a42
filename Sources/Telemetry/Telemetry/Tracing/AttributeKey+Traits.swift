/// What the name of an attribute says about its values and its place in a log line.
extension AttributeKey {
    struct Traits: OptionSet, Sendable {
        let rawValue: UInt8

        /// The value is a secret or personal: it is replaced by `[redacted]`.
        static let sensitive = Traits(rawValue: 1)
        /// The log line takes this field from the context: an explicit one counts only when the context has none.
        static let contextual = Traits(rawValue: 2)
        /// The name cannot stand in a log line as it is: see `rewrittenName`.
        static let needsRewriting = Traits(rawValue: 4)
        /// The values are words and numbers of ours, never free text: nobody looks for secrets in them.
        static let structured = Traits(rawValue: 8)
        /// OpenTelemetry has another name for it.
        static let isRenamed = Traits(rawValue: 16)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(of name: String) {
            var traits: Traits = []
            if SensitiveNames.matches(name) { traits.insert(.sensitive) }
            if name == "trace.id" || name == "span.id" || name == "http.request.id" { traits.insert(.contextual) }
            if AttributeKey.isReserved(name) || AttributeKey.needsEscape(name) || AttributeKey.isNestedLabel(name) {
                traits.insert(.needsRewriting)
            }
            if AttributeKey.isStructured(name) { traits.insert(.structured) }
            if AttributeKey.openTelemetryNames[name] != nil { traits.insert(.isRenamed) }
            self = traits
        }
    }

    /// The name as a log line writes it: reserved keys move under `labels.`, and label names are flat
    /// (ECS: `.`, `*` and `\` become `_`).
    var rewrittenName: String {
        let label: Substring
        if AttributeKey.isReserved(name) {
            label = name[...]
        } else if name.hasPrefix("labels.") {
            label = name.dropFirst(7)
        } else {
            return name
        }
        // By scalars: a dot under an accent is a dot to whoever reads the JSON.
        var flat = "labels.".unicodeScalars
        for scalar in label.unicodeScalars {
            flat.append(scalar == "." || scalar == "*" || scalar == "\\" ? "_" : scalar)
        }
        return String(flat)
    }

    /// Keys that every line has from elsewhere.
    private static func isReserved(_ name: String) -> Bool {
        switch name {
        case "@timestamp", "log.level", "message", "ecs.version", "service.name", "log.logger", "event.action",
            "event.dataset", "process.pid", "tags", "":
            true
        default: false
        }
    }

    private static func isStructured(_ name: String) -> Bool {
        switch name {
        case "http.request.method", "http.route", "labels.http_route", "url.scheme", "client.address", "client.ip",
            "source.ip", "user.id", "error.type":
            true
        default:
            ["event.", "service.", "server.", "network.", "messaging.", "process.", "db."].contains {
                name.hasPrefix($0)
            }
        }
    }

    /// A value under this name as it may be shown: nothing of it under a sensitive one, no secrets in free text.
    func shown(_ value: AttributeValue) -> AttributeValue {
        if traits.contains(.sensitive) { return .string(Redaction.text) }
        if traits.contains(.structured) { return value }
        switch value {
        case .string(let text): return .string(PatternRedaction.redacted(text))
        case .strings(let texts): return .strings(texts.map(PatternRedaction.redacted))
        case .int, .double, .bool: return value
        }
    }

    /// The same for a text.
    @inline(__always)
    func shown(_ text: String) -> String {
        if traits.isDisjoint(with: [.sensitive, .structured]) { return PatternRedaction.redacted(text) }
        return traits.contains(.sensitive) ? Redaction.text : text
    }

    private static func needsEscape(_ name: String) -> Bool {
        !name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }

    private static func isNestedLabel(_ name: String) -> Bool {
        guard name.hasPrefix("labels.") else { return false }
        return name.utf8.dropFirst(7).contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "*") }
    }
}
