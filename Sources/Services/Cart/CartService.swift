package import ServiceKit

package enum CartService {
    package static let definition = ServiceDefinition(name: "cart", summary: "", port: 8001) { app in }
}
