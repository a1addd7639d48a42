package import EventLoop
package import HTTP
internal import LocalStack
package import PostgreSQL
package import Security
package import ServiceKit
package import TelemetryTesting
internal import Telemetry
internal import Values

/// Services under test, really listening, on real servers: each with a fresh database, all with one fresh broker and
/// one emptied Redis where they use them, the telemetry of each kept in memory and held against its contract.
package struct Deployment: Sendable {
    package let host: ServiceHost
    package let captures: [String: TelemetryCapture]
    package let client: HTTPClient
    /// What the services were configured with.
    package let settings: [String: String]

    package static let group = EventLoopGroup(count: 2)
    package static let secrets = [
        "JWT_SECRET": "a test secret of at least thirty-two bytes",
        "IDENTITY_SECRET": "another test secret of at least thirty-two",
    ]
    package static var tokens: TokenSigner { TokenSigner(secret: secrets["JWT_SECRET"] ?? "") }
    package static var identities: IdentitySigner { IdentitySigner(secret: secrets["IDENTITY_SECRET"] ?? "") }
    /// Seconds since 1970.
    package static var now: Int64 { Timestamp.now().secondsSince1970 }

    /// Starts the services, runs the body, stops them, and checks what they emitted.
    /// - Parameters:
    ///   - services: what runs; their queues are the only ones there are.
    ///   - values: settings beside the usual ones, which they win over.
    /// - Throws: what the body throws; `UndeclaredTelemetry` when a service emitted what it does not declare.
    package static func run<T>(
        _ services: [ServiceDefinition], values: [String: String] = [:], _ body: (Deployment) async throws -> T
    ) async throws -> T {
        var settings = secrets
        settings["DRAIN_TIMEOUT_SECONDS"] = "1"
        settings["DATABASE_POOL_SIZE"] = "3"
        settings["USERS_BCRYPT_COST"] = "4"
        if services.contains(where: \.usesBroker) { settings["RABBITMQ_URL"] = try await TestServers.rabbitmq() }
        if services.contains(where: \.usesRedis), values["REDIS_URL"] == nil {
            settings["REDIS_URL"] = try await TestServers.redis()
        }
        for service in services {
            settings[service.name.uppercased() + "_PORT"] = "0"
            guard service.database != nil else { continue }
            settings[service.name.uppercased() + "_DATABASE_URL"] = try await TestServers.postgresDatabase()
        }
        settings.merge(values) { $1 }
        let captures = Dictionary(
            uniqueKeysWithValues: services.map { service in
                (service.name, TelemetryCapture(serviceName: service.name, sampler: .parentBased(root: .alwaysOn)))
            })
        let host = ServiceHost(services: services, of: services, values: settings, group: group) { name in
            captures[name]?.telemetry ?? .disabled()
        }
        try await host.start()
        var patient = HTTPClient.Configuration()
        patient.maxResponseBytes = 128 << 20
        let client = HTTPClient(configuration: patient, group: group, telemetry: nil)
        let deployment = Deployment(host: host, captures: captures, client: client, settings: settings)
        do {
            let result = try await body(deployment)
            await host.stop()
            await client.shutdown()
            try check(services, captures)
            return result
        } catch {
            await host.stop()
            await client.shutdown()
            throw error
        }
    }

    /// What services under test emit is declared, whatever the test is about.
    private static func check(_ services: [ServiceDefinition], _ captures: [String: TelemetryCapture]) throws {
        for service in services {
            guard let capture = captures[service.name] else { continue }
            let contract = service.contract
            let violations = contract.violations(in: capture)
            guard violations.isEmpty else { throw UndeclaredTelemetry(service: service.name, violations: violations) }
            ContractCoverage.note(contract, capture)
        }
    }

    /// The address of a service, or of the first.
    package func url(_ service: String? = nil) throws -> String {
        guard let endpoint = host.endpoints.first(where: { service == nil || $0.name == service }) else {
            throw NotDeployed(service: service ?? "any")
        }
        return endpoint.url
    }

    package func capture(_ service: String) throws -> TelemetryCapture {
        guard let capture = captures[service] else { throw NotDeployed(service: service) }
        return capture
    }

    package func database(_ service: String) throws -> PostgreSQLClient {
        guard let application = host.application(service) else { throw NotDeployed(service: service) }
        return application.database
    }
}

/// A service emitted telemetry that it does not declare.
package struct UndeclaredTelemetry: Error, CustomStringConvertible {
    package let service: String
    package let violations: [String]
    package var description: String {
        "\(service) emitted what it does not declare:\n  " + violations.joined(separator: "\n  ")
    }
}

/// The test asks for a service that it did not start.
package struct NotDeployed: Error, CustomStringConvertible {
    package let service: String
    package var description: String { "the service '\(service)' is not among those that this test started" }
}
