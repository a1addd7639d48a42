import AMQP
import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL
import Security
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing
import Values

/// Services under test, really listening, on real servers: each with a fresh database, all with one fresh broker, the
/// telemetry of each kept in memory.
struct Deployment {
    let host: ServiceHost
    let captures: [String: TelemetryCapture]
    let client: HTTPClient
    private let settings: [String: String]

    static let group = EventLoopGroup(count: 2)
    static let secrets = [
        "JWT_SECRET": "a test secret of at least thirty-two bytes",
        "IDENTITY_SECRET": "another test secret of at least thirty-two",
    ]
    static var tokens: TokenSigner { TokenSigner(secret: secrets["JWT_SECRET"] ?? "") }
    static var identities: IdentitySigner { IdentitySigner(secret: secrets["IDENTITY_SECRET"] ?? "") }
    static var now: Int64 { Timestamp.now().secondsSince1970 }

    static func run<T>(
        _ services: [ServiceDefinition], values: [String: String] = [:], _ body: (Deployment) async throws -> T
    ) async throws -> T {
        var settings = secrets
        settings["DRAIN_TIMEOUT_SECONDS"] = "1"
        settings["DATABASE_POOL_SIZE"] = "3"
        settings["USERS_BCRYPT_COST"] = "4"
        if services.contains(where: \.usesBroker) { settings["RABBITMQ_URL"] = try await TestServers.rabbitmq() }
        for service in services {
            settings[service.name.uppercased() + "_PORT"] = "0"
            if service.database != nil {
                settings[service.name.uppercased() + "_DATABASE_URL"] = try await TestServers.postgresDatabase()
            }
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
            check(services, captures)
            return result
        } catch {
            await host.stop()
            await client.shutdown()
            throw error
        }
    }

    /// What services under test emit is declared, whatever the test is about.
    private static func check(_ services: [ServiceDefinition], _ captures: [String: TelemetryCapture]) {
        for service in services {
            guard let capture = captures[service.name] else { continue }
            let contract = service.contract
            #expect(contract.violations(in: capture) == [])
            ContractCoverage.note(contract, capture)
        }
    }

    func url(_ service: String) throws -> String {
        try #require(host.endpoints.first { $0.name == service }).url
    }

    func capture(_ service: String) throws -> TelemetryCapture { try #require(captures[service]) }

    func database(_ service: String) throws -> PostgreSQLClient {
        try #require(host.application(service)).database
    }

    // MARK: Requests

    /// One request, its whole answer.
    /// - Parameter headers: with repetitions, in this order.
    func send(
        _ service: String, _ method: HTTPMethod, _ target: String, headers: [(String, String)] = [],
        json: String? = nil, form: String? = nil
    ) async throws -> Reply {
        var request = HTTPRequest(method: method, target: target)
        for (name, value) in headers { request.headers.add(name, value) }
        if let text = json ?? form {
            request.body = .bytes(Array(text.utf8))
            request.headers.add(
                "content-type", form == nil ? "application/json" : "application/x-www-form-urlencoded")
        }
        let response = try await client.send(request, to: try url(service), timeoutMilliseconds: 20_000)
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Reply(
            status: response.status.code, headers: response.headers, text: String(decoding: bytes, as: UTF8.self))
    }

    /// The header of a valid access token.
    static func bearer(_ roles: [String] = ["user"], subject: String = "00000000-0000-4000-8000-000000000001")
        -> (String, String)
    {
        let claims = AccessTokenClaims(
            subject: subject, username: "mira", roles: roles, companyID: nil, issuedAt: now - 10,
            expiresAt: now + 900, tokenID: "t-1")
        return ("authorization", "Bearer \(tokens.sign(claims))")
    }

    /// The header that one service shows another.
    static func signed(_ identity: Identity) -> (String, String) {
        (IdentitySigner.header, identities.sign(identity, now: now))
    }

    // MARK: Events

    /// Publishes an event as its service would, and says it so often.
    func publish(_ event: some Event, messageID: String = Identifier.make(), times: Int = 1) async throws {
        let client = AMQPClient(
            configuration: .init(url: settings["RABBITMQ_URL"] ?? ""), group: Self.group,
            telemetry: TelemetryCapture(serviceName: "publisher").telemetry)
        try await client.start()
        var message = AMQPMessage(messageID: messageID, body: Array(try JSONEncoder().encode(event)))
        message.type = type(of: event).type
        message.correlationID = event.subject
        for _ in 0..<times {
            try await client.publish(message, exchange: "orders", routingKey: type(of: event).type)
        }
        await client.stop(timeoutSeconds: 2)
    }
}

/// A whole answer.
struct Reply {
    let status: Int
    let headers: HTTPFields
    let text: String

    func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    /// The names of the members of the JSON object, or of the object that a member of it holds.
    func keys(_ member: String? = nil) throws -> Set<String> {
        struct AnyKey: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        struct Keys: Decodable {
            let names: Set<String>
            init(from decoder: any Decoder) throws {
                names = Set(try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue))
            }
        }
        guard let member else { return try decode(Keys.self).names }
        return try #require(try decode([String: Optional<LenientKeys>].self)[member]??.names)
    }

    private struct LenientKeys: Decodable {
        let names: Set<String>?
        init(from decoder: any Decoder) throws {
            struct AnyKey: CodingKey {
                let stringValue: String
                var intValue: Int? { nil }
                init(stringValue: String) { self.stringValue = stringValue }
                init?(intValue: Int) { nil }
            }
            names = (try? decoder.container(keyedBy: AnyKey.self)).map { Set($0.allKeys.map(\.stringValue)) }
        }
    }
}

/// Waits until something holds, for at most so long.
func becomes(seconds: Int = 60, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let end = TelemetryClock.system.monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    while TelemetryClock.system.monotonicNanoseconds() < end {
        if try await condition() { return true }
        try? await Task.sleep(nanoseconds: 20_000_000)
    }
    return try await condition()
}
