package import ServiceKit

package enum OrdersService {
    package static let definition = ServiceDefinition(name: "orders", summary: "", port: 8002) { app in }
}
