internal import Configuration
internal import Synchronization

/// Where the services of the platform are: `<NAME>_URL` when it is set, the port that a service of this process has
/// bound, or its default port on this machine.
final class ServiceDirectory: Sendable {
    /// The platform's table of ports.
    static let defaultPorts: [String: Int] = [
        "gateway": 8080, "users": 8081, "config": 8082, "accounting": 8083, "factory": 8084, "shop": 8085,
        "main": 8086, "catalog": 8000, "cart": 8001, "orders": 8002, "processor": 8003, "payments": 8004,
        "notifications": 8005, "warehouse": 8006, "purchase": 8007, "web": 8008, "bot": 8009, "docs": 8010,
    ]

    private let configuration: ConfigurationReader
    private let urls = Mutex<[String: String]>([:])

    init(configuration: ConfigurationReader) { self.configuration = configuration }

    /// The URL of a service, without a path; nil when nobody knows it.
    func url(of service: String) -> String? {
        urls.withLock { urls in
            if let url = urls[service] { return url }
            guard let url = configured(service) ?? Self.defaultPorts[service].map({ "http://127.0.0.1:\($0)" }) else {
                return nil
            }
            urls[service] = url
            return url
        }
    }

    /// A service of this process listens here: taken unless the configuration sends callers elsewhere.
    func bound(_ service: String, url: String) {
        let url = configured(service) ?? url
        urls.withLock { $0[service] = url }
    }

    private func configured(_ service: String) -> String? {
        configuration.optionalString(service.uppercased() + "_URL")
    }
}
