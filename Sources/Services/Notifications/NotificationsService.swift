package import ServiceKit

package enum NotificationsService {
    package static let definition = ServiceDefinition(name: "notifications", summary: "", port: 8005) { app in }
}
