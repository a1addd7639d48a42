/// A part of this SDK as its metrics name it (OpenTelemetry semantic conventions, `otel.component.name` and
/// `otel.component.type`): its type, and a name that only this one has in the process.
package struct SDKComponent: Sendable {
    /// The labels of `values`, in their order.
    package static let labels = ["otel_component_name", "otel_component_type"]

    static let spanProcessor = SDKComponent(type: "batching_span_processor", number: 0)
    static let logProcessor = SDKComponent(type: "batching_log_processor", number: 0)

    package let type: String
    package let name: String

    /// - Parameter number: among those of its type, from zero.
    package init(type: String, number: Int) {
        self.type = type
        name = "\(type)/\(number)"
    }

    package var values: [String] { [name, type] }
}
