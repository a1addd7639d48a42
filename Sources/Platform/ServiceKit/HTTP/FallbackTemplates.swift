internal import Synchronization

/// The templates under which a fallback's requests are observed: chosen by code, but bounded all the same.
final class FallbackTemplates: Sendable {
    private static let maxTemplates = 256
    /// What the templates beyond the bound are called.
    private static let overflow = "other"

    private let instruments: HTTPInstruments
    private let known = Mutex<[String: TemplateTelemetry]>([:])

    init(instruments: HTTPInstruments) { self.instruments = instruments }

    func of(_ template: String) -> TemplateTelemetry {
        known.withLock { known in
            if let telemetry = known[template] { return telemetry }
            let name = known.count < Self.maxTemplates ? template : Self.overflow
            if let telemetry = known[name] { return telemetry }
            let telemetry = TemplateTelemetry(route: name, instruments: instruments)
            known[name] = telemetry
            return telemetry
        }
    }
}
