import EventLoop
import HTTP
import HTTPCodec
import Security
import ServiceKit
import Telemetry
import TelemetryTesting

/// A service under test: really listening, its telemetry kept in memory.
struct TestService {
    let host: ServiceHost
    let capture: TelemetryCapture
    let client: HTTPClient
    let url: String

    static let group = EventLoopGroup(count: 2)
    static let secrets = [
        "JWT_SECRET": "a test secret of at least thirty-two bytes",
        "IDENTITY_SECRET": "another test secret of at least thirty-two",
    ]
    static var tokens: TokenSigner { TokenSigner(secret: secrets["JWT_SECRET"] ?? "") }
    static var identities: IdentitySigner { IdentitySigner(secret: secrets["IDENTITY_SECRET"] ?? "") }
    static var now: Int64 { Int64(TelemetryClock.system.wallNanoseconds() / 1_000_000_000) }

    /// Runs a service of the given routes (and whatever else `build` declares) while `body` runs.
    static func run<T>(
        name: String = "shopfront", database: String? = nil, usesRedis: Bool = false, usesBroker: Bool = false,
        migrations: [Migration] = [], values: [String: String] = [:], logLevel: LogLevel = .debug,
        logDetails: LogDetailsPolicy = .off, histograms: HistogramForms = HistogramForms(),
        build: @escaping @Sendable (Application) async throws -> Void, _ body: (TestService) async throws -> T
    ) async throws -> T {
        let capture = TelemetryCapture(
            serviceName: name, sampler: .parentBased(root: .alwaysOn), logLevel: logLevel, logDetails: logDetails,
            histograms: histograms)
        let definition = ServiceDefinition(
            name: name, summary: "a service under test", port: 0, database: database, usesRedis: usesRedis,
            usesBroker: usesBroker, migrations: migrations, build: build)
        var settings = secrets
        settings[name.uppercased() + "_PORT"] = "0"
        settings["DRAIN_TIMEOUT_SECONDS"] = "2"
        settings.merge(values) { $1 }
        let host = ServiceHost(services: [definition], values: settings, group: group) { _ in capture.telemetry }
        try await host.start()
        let client = HTTPClient(group: group, telemetry: nil)
        let service = TestService(host: host, capture: capture, client: client, url: host.endpoints[0].url)
        do {
            let result = try await body(service)
            await host.stop()
            await client.shutdown()
            return result
        } catch {
            await host.stop()
            await client.shutdown()
            throw error
        }
    }

    /// One request, its whole answer.
    func send(
        _ method: HTTPMethod, _ target: String, headers: [String: String] = [:], body: String? = nil,
        timeoutMilliseconds: Int? = nil
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, target: target)
        for (name, value) in headers { request.headers.add(name, value) }
        if let body {
            request.body = .bytes(Array(body.utf8))
            if headers["content-type"] == nil { request.headers.add("content-type", "application/json") }
        }
        let response = try await client.send(request, to: url, timeoutMilliseconds: timeoutMilliseconds)
        let bytes = try await response.body.collect(upTo: 16 * 1024 * 1024)
        return Answer(
            status: response.status.code, headers: response.headers, text: String(decoding: bytes, as: UTF8.self))
    }

    func get(
        _ target: String, headers: [String: String] = [:], timeoutMilliseconds: Int? = nil
    ) async throws -> Answer {
        try await send(.get, target, headers: headers, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// A valid access token's header.
    static func bearer(_ roles: [String] = ["user"], subject: String = "u-1", expiresIn seconds: Int64 = 900)
        -> [String: String]
    {
        let claims = AccessTokenClaims(
            subject: subject, username: "mira", roles: roles, companyID: nil, issuedAt: now - 10,
            expiresAt: now + seconds, tokenID: "t-1")
        return ["authorization": "Bearer \(tokens.sign(claims))"]
    }
}

struct Answer {
    let status: Int
    let headers: HTTPFields
    let text: String
}
