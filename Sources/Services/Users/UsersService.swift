package import ServiceKit

package enum UsersService {
    package static let definition = ServiceDefinition(name: "users", summary: "", port: 8081) { app in }
}
