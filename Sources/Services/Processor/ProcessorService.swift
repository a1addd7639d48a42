package import ServiceKit

package enum ProcessorService {
    package static let definition = ServiceDefinition(name: "processor", summary: "", port: 8003) { app in }
}
