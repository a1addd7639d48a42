package import ServiceKit
internal import Telemetry

/// Everything that is rendered for a platform of these services: the one place that lists it.
package struct PlatformRendering: Sendable {
    package let services: [ServiceDefinition]

    /// - Parameter services: in the order of the wiring table.
    package init(services: [ServiceDefinition]) { self.services = services }

    /// Every file, in a stable order.
    /// - Throws: `RenderingError` naming everything that is wrong with the declarations.
    package func files() throws -> [RenderedFile] {
        let contracts = services.map(\.contract)
        let problems = contracts.flatMap(\.problems)
        guard problems.isEmpty else { throw RenderingError(problems.joined(separator: "\n")) }
        return [TelemetryDocument(services: services).file]
    }
}
