package import ServiceKit

package enum GatewayService {
    package static let definition = ServiceDefinition(name: "gateway", summary: "", port: 8080) { app in }
}
