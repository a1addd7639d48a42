package import ServiceKit

package enum WarehouseService {
    package static let definition = ServiceDefinition(name: "warehouse", summary: "", port: 8006) { app in }
}
