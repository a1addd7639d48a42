package import ServiceKit

package enum CatalogService {
    package static let definition = ServiceDefinition(name: "catalog", summary: "", port: 8000) { app in }
}
