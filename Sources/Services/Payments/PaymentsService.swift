package import ServiceKit

package enum PaymentsService {
    package static let definition = ServiceDefinition(name: "payments", summary: "", port: 8004) { app in }
}
