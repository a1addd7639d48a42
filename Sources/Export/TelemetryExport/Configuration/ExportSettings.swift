/// The settings by name; an empty value counts as none (OpenTelemetry specification, environment variables).
struct ExportSettings {
    private let values: [String: String]

    init(_ values: [String: String]) { self.values = values }

    subscript(_ name: String) -> String? {
        guard let value = values[name] else { return nil }
        let trimmed = value.drop { $0 == " " }
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}

/// The settings of one signal of one collector: those of the signal win over those of all signals.
struct OTLPSettings {
    let prefix: String
    let signal: OTLPSignal
    let settings: ExportSettings

    subscript(_ suffix: String) -> (name: String, value: String)? { own(suffix) ?? shared(suffix) }

    /// The variable of the signal.
    func own(_ suffix: String) -> (name: String, value: String)? { value("\(prefix)_\(signal.variable)_\(suffix)") }

    /// The variable of all signals.
    func shared(_ suffix: String) -> (name: String, value: String)? { value("\(prefix)_\(suffix)") }

    private func value(_ name: String) -> (name: String, value: String)? { settings[name].map { (name, $0) } }
}
