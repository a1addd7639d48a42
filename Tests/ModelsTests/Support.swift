import EventLoop
import HTTP
import HTTPCodec
import LocalStack
import Models
import PostgreSQL
import Security
import ServiceKit
import Telemetry
import TelemetryTesting
import Testing
import Values

/// Services under test, really listening, each with a fresh database.
struct Deployment {
    let host: ServiceHost
    let client: HTTPClient

    static let group = EventLoopGroup(count: 2)
    static let secrets = [
        "JWT_SECRET": "a test secret of at least thirty-two bytes",
        "IDENTITY_SECRET": "another test secret of at least thirty-two",
    ]

    static func run<T>(
        _ services: [ServiceDefinition], values: [String: String] = [:], _ body: (Deployment) async throws -> T
    ) async throws -> T {
        var settings = secrets
        settings["DRAIN_TIMEOUT_SECONDS"] = "1"
        settings["DATABASE_POOL_SIZE"] = "4"
        for service in services {
            settings[service.name.uppercased() + "_PORT"] = "0"
            guard service.database != nil else { continue }
            settings[service.name.uppercased() + "_DATABASE_URL"] = try await TestServers.postgresDatabase()
        }
        settings.merge(values) { $1 }
        let captures = Dictionary(
            uniqueKeysWithValues: services.map { ($0.name, TelemetryCapture(serviceName: $0.name)) })
        let host = ServiceHost(services: services, values: settings, group: group) { name in
            captures[name]?.telemetry ?? .disabled()
        }
        try await host.start()
        let client = HTTPClient(group: group, telemetry: nil)
        let deployment = Deployment(host: host, client: client)
        do {
            let result = try await body(deployment)
            await host.stop()
            await client.shutdown()
            return result
        } catch {
            await host.stop()
            await client.shutdown()
            throw error
        }
    }

    func url(_ service: String? = nil) throws -> String {
        try #require(host.endpoints.first { service == nil || $0.name == service }).url
    }

    func database(_ service: String) throws -> PostgreSQLClient { try #require(host.application(service)).database }

    func send(
        _ method: HTTPMethod, _ target: String, as person: Person? = .manager, headers: [String: String] = [:],
        json: String? = nil, service: String? = nil
    ) async throws -> Reply {
        var request = HTTPRequest(method: method, target: target)
        if let person { request.headers.add("authorization", person.bearer) }
        for (name, value) in headers { request.headers.add(name, value) }
        if let json {
            request.body = .bytes(Array(json.utf8))
            if headers["content-type"] == nil { request.headers.add("content-type", "application/json") }
        }
        let response = try await client.send(request, to: try url(service), timeoutMilliseconds: 20_000)
        let bytes = try await response.body.collect(upTo: 16 << 20)
        return Reply(status: response.status.code, headers: response.headers, bytes: bytes)
    }

    func get(_ target: String, as person: Person? = .manager, headers: [String: String] = [:]) async throws -> Reply {
        try await send(.get, target, as: person, headers: headers)
    }
}

/// Somebody with a token.
struct Person: Sendable {
    var roles: [String]
    var company: String?
    var subject = "00000000-0000-4000-8000-000000000001"

    static let alpha = "aaaaaaaa-0000-4000-8000-00000000000a"
    static let beta = "bbbbbbbb-0000-4000-8000-00000000000b"

    static let manager = Person(roles: ["manager"], company: alpha)
    static let rival = Person(
        roles: ["manager", "admin"], company: beta, subject: "00000000-0000-4000-8000-000000000002")
    static let clerk = Person(roles: ["user"], company: alpha)
    static let superuser = Person(roles: ["superuser"], company: nil)

    var identity: Identity { Identity(userID: subject, username: "mira", roles: roles, companyID: company) }

    var bearer: String {
        let now = Timestamp.now().secondsSince1970
        let claims = AccessTokenClaims(
            subject: subject, username: "mira", roles: roles, companyID: company, issuedAt: now - 10,
            expiresAt: now + 900, tokenID: "t-1")
        return "Bearer \(TokenSigner(secret: Deployment.secrets["JWT_SECRET"] ?? "").sign(claims))"
    }
}

/// A whole answer.
struct Reply {
    let status: Int
    let headers: HTTPFields
    let bytes: [UInt8]
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
