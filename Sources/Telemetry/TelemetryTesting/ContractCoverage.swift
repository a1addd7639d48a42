internal import Glibc
internal import Synchronization
package import Telemetry

/// Which declared names were seen, over all captures of a test process; what never was is printed when it ends. A
/// counter or histogram counts as seen when it moved, not when it stood at zero.
package enum ContractCoverage {
    private struct State {
        var declared: [String: Set<String>] = [:]
        var seen: [String: Set<String>] = [:]
        var isPrinting = false
    }

    private static let state = Mutex(State())

    /// Adds what a service under this contract emitted.
    package static func note(_ contract: TelemetryContract, _ capture: TelemetryCapture) {
        var seen = moved(capture.text)
        for span in capture.spans {
            let declared = contract.spans.filter { $0.matches(span.name, kind: span.kind) }
            let attributes = Set(span.attributes.keys).subtracting([AttributeKey.errorType.name])
            for declaration in declared where attributes.isSubset(of: declaration.attributes.map(\.name)) {
                seen.insert(title(declaration))
            }
        }
        for line in capture.logLines {
            if let event = LogLineKeys(line)?.event { seen.insert("log event \(event)") }
        }
        note(contract, seen)
    }

    /// Adds what the `/metrics` page (text 0.0.4) of a running service shows.
    package static func note(_ contract: TelemetryContract, exposition text: String) { note(contract, moved(text)) }

    private static func note(_ contract: TelemetryContract, _ seen: Set<String>) {
        let declared = Set(
            contract.metrics.map { "metric \($0.name)" } + contract.spans.map(title)
                + contract.events.map { "log event \($0.name)" })
        let isFirst = state.withLock { state in
            state.declared[contract.service, default: []].formUnion(declared)
            state.seen[contract.service, default: []].formUnion(seen)
            defer { state.isPrinting = true }
            return !state.isPrinting
        }
        if isFirst { atexit(printTelemetryCoverage) }
    }

    /// Names that a service declares and nothing has emitted so far, by the services that declare them.
    package static func missing() -> [(name: String, services: [String])] {
        let (declared, seen) = state.withLock { ($0.declared, $0.seen) }
        // A part that many services share is covered when one of them showed it.
        let seenAnywhere = seen.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        var missing: [String: [String]] = [:]
        for (service, names) in declared {
            for name in names.subtracting(seenAnywhere) { missing[name, default: []].append(service) }
        }
        return missing.map { ($0.key, $0.value.sorted()) }.sorted { $0.0 < $1.0 }
    }

    /// The report as text: one line in front, one for each name that was never emitted.
    package static func report() -> String {
        let total = state.withLock { $0.declared.values.reduce(into: Set<String>()) { $0.formUnion($1) }.count }
        let missing = Self.missing()
        var text = "telemetry coverage: \(total - missing.count) of \(total) declared names were emitted\n"
        for (name, services) in missing {
            text += "  never emitted: \(name) (\(services.joined(separator: ", ")))\n"
        }
        return text
    }

    private static func title(_ span: SpanDeclaration) -> String { "\(span.kind) span '\(span.name)'" }

    /// The metrics of a page of which a series moved.
    private static func moved(_ text: String) -> Set<String> {
        var result: Set<String> = []
        var type: Substring = ""
        var name: Substring = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                (name, type) = words.count == 4 ? (words[2], words[3]) : ("", "")
            } else if !line.hasPrefix("#"), !name.isEmpty, let space = line.lastIndex(of: " ") {
                let value = Double(line[line.index(after: space)...]) ?? 0
                let counts = type != "histogram" || line.hasPrefix("\(name)_count")
                if type == "gauge" || (counts && value > 0) { result.insert("metric \(name)") }
            }
        }
        return result
    }
}

private func printTelemetryCoverage() {
    let text = ContractCoverage.report()
    _ = text.withCString { write(2, $0, strlen($0)) }
}
