package import EventLoop
internal import FoundationEssentials
internal import HTTP
internal import HTTPCodec
package import Telemetry

/// A client of Consul's HTTP API (v1): the agent's services, healthy instances, keys and values, and watches of the latter
/// two by blocking queries.
///
/// On the event loop, like every other client: nothing blocks a thread, answers and values are bounded, and a token never
/// appears anywhere but in its header.
package final class ConsulClient: Sendable {
    /// The largest answer that is read.
    package static let maxAnswerBytes = 8 * 1024 * 1024
    /// The largest value that Consul takes.
    package static let maxValueBytes = 512 * 1024
    /// Instances of one service that are kept; the rest is left out.
    package static let maxInstances = 1_000

    let group: EventLoopGroup
    let configuration: ConsulConfiguration
    let telemetry: ConsulTelemetry
    private let http: HTTPClient
    /// Blocking queries: without spans, and without a part in the histogram of requests.
    private let waiting: HTTPClient

    /// How far a read may be from what was written last ("Consistency Modes").
    package enum Consistency: Sendable {
        /// The leader answers.
        case usual
        /// Any server answers, also without a leader; some 50 ms behind.
        case stale
    }

    /// - Parameters: telemetry: whose spans and log lines tell of requests.
    ///   - metrics: where they are counted; nil for those of `telemetry`.
    package init(
        configuration: ConsulConfiguration, group: EventLoopGroup, telemetry: Telemetry, metrics: MetricRegistry? = nil
    ) {
        self.configuration = configuration
        self.group = group
        self.telemetry = ConsulTelemetry(telemetry.logger, metrics ?? telemetry.metrics)
        var settings = HTTPClient.Configuration()
        settings.requestTimeoutMilliseconds = configuration.requestTimeoutMilliseconds
        settings.maxResponseBytes = Self.maxAnswerBytes
        settings.tls = configuration.tls
        http = HTTPClient(configuration: settings, group: group, telemetry: telemetry)
        waiting = HTTPClient(configuration: settings, group: group, telemetry: nil)
    }

    /// Closes the connections; watches have to be stopped before.
    package func shutdown() async {
        await http.shutdown()
        await waiting.shutdown()
    }

    // MARK: Services of the agent

    /// Makes the agent know, check and announce an instance; an instance of the same id is replaced.
    /// - Throws: `ConsulError`.
    package func register(_ registration: ServiceRegistration) async throws {
        let body = Array(try JSONEncoder().encode(registration))
        let target = "/v1/agent/service/register?replace-existing-checks=true"
        _ = try await ask(
            "agent.register", .put, target, template: "/v1/agent/service/register", body: .bytes(body))
    }

    /// Makes the agent forget an instance; one that it does not know is forgotten already.
    /// - Throws: `ConsulError`.
    package func deregister(_ id: String) async throws {
        let target = "/v1/agent/service/deregister/" + Self.encode(id)
        _ = try await ask(
            "agent.deregister", .put, target, template: "/v1/agent/service/deregister/{id}", missing: true)
    }

    /// Whether the agent knows an instance; asked all day, so it leaves no spans.
    /// - Throws: `ConsulError`.
    package func isRegistered(_ id: String) async throws -> Bool {
        let answer = try await ask(
            "agent.service", .get, "/v1/agent/service/" + Self.encode(id), template: "/v1/agent/service/{id}",
            missing: true, isQuiet: true)
        return !answer.isMissing
    }

    // MARK: Healthy instances

    /// The instances of a service whose checks all pass, by id; what has no usable address is left out.
    /// - Throws: `ConsulError`.
    package func healthyInstances(of service: String, consistency: Consistency = .usual) async throws
        -> [ServiceInstance]
    {
        let answer = try await ask(
            "health.service", .get, healthTarget(service, consistency), template: "/v1/health/service/{service}")
        return try Self.instances(answer)
    }

    func healthTarget(_ service: String, _ consistency: Consistency) -> String {
        query("/v1/health/service/" + Self.encode(service), consistency, ["passing"])
    }

    static func instances(_ answer: Answer) throws(ConsulError) -> [ServiceInstance] {
        let instances = try decode([HealthEntry].self, answer).compactMap(\.instance).sorted { $0.id < $1.id }
        return Array(instances.prefix(maxInstances))
    }

    // MARK: Keys and values

    /// One key's value; nil without the key.
    /// - Throws: `ConsulError`.
    package func value(_ key: String, consistency: Consistency = .usual) async throws -> KeyValueEntry? {
        let answer = try await ask(
            "kv.get", .get, query("/v1/kv/" + Self.encode(key), consistency), template: "/v1/kv/{key}", missing: true)
        return try Self.entries(answer).first
    }

    /// Every key that begins with the prefix, in the order of keys.
    /// - Throws: `ConsulError`.
    package func entries(below prefix: String, consistency: Consistency = .usual) async throws -> [KeyValueEntry] {
        let answer = try await ask(
            "kv.list", .get, listTarget(prefix, consistency), template: "/v1/kv/{prefix}", missing: true)
        return try Self.entries(answer)
    }

    func listTarget(_ prefix: String, _ consistency: Consistency) -> String {
        query("/v1/kv/" + Self.encode(prefix), consistency, ["recurse"])
    }

    static func entries(_ answer: Answer) throws(ConsulError) -> [KeyValueEntry] {
        if answer.isMissing { return [] }
        return try decode([KeyValueEntry].self, answer).sorted { $0.key < $1.key }
    }

    /// Writes a key.
    /// - Parameter ifUnchangedSince: the `modifyIndex` that the key must still have (check and set); 0: it must not exist;
    ///   nil: whatever is there.
    /// - Returns: false when somebody else was first.
    /// - Throws: `ConsulError`.
    package func put(_ key: String, _ value: [UInt8], flags: UInt64 = 0, ifUnchangedSince index: UInt64? = nil)
        async throws -> Bool
    {
        guard !key.isEmpty else { throw ConsulError.invalid("a key has at least one byte") }
        guard value.count <= Self.maxValueBytes else { throw ConsulError.tooLarge(limit: Self.maxValueBytes) }
        var parameters = flags == 0 ? [] : ["flags=\(flags)"]
        if let index { parameters.append("cas=\(index)") }
        let answer = try await ask(
            "kv.put", .put, query("/v1/kv/" + Self.encode(key), .usual, parameters), template: "/v1/kv/{key}",
            body: .bytes(value))
        return try Self.decode(Bool.self, answer)
    }

    /// Deletes a key; one that is not there is deleted already.
    /// - Parameter ifUnchangedSince: as with `put`, 1 or more.
    /// - Returns: false when somebody else was first.
    /// - Throws: `ConsulError`.
    package func delete(_ key: String, ifUnchangedSince index: UInt64? = nil) async throws -> Bool {
        guard !key.isEmpty else { throw ConsulError.invalid("a key has at least one byte") }
        let target = query("/v1/kv/" + Self.encode(key), .usual, index.map { ["cas=\($0)"] } ?? [])
        return try Self.decode(Bool.self, try await ask("kv.delete", .delete, target, template: "/v1/kv/{key}"))
    }

    /// Deletes every key that begins with the prefix, which must not be empty: that would be all of them.
    /// - Throws: `ConsulError`.
    package func deleteAll(below prefix: String) async throws {
        guard !prefix.isEmpty else { throw ConsulError.invalid("without a prefix every key would be deleted") }
        let target = query("/v1/kv/" + Self.encode(prefix), .usual, ["recurse"])
        _ = try await ask("kv.delete", .delete, target, template: "/v1/kv/{prefix}")
    }

    // MARK: Requests

    /// An answer in memory.
    struct Answer: Sendable {
        var bytes: [UInt8]
        /// `X-Consul-Index`.
        var index: UInt64?
        /// 404: there is no such thing.
        var isMissing: Bool
    }

    /// One request.
    /// - Parameters: missing: whether 404 is an answer like any other.
    ///   - isQuiet: no span and no part in the HTTP client's histogram.
    func ask(
        _ operation: String, _ method: HTTPMethod, _ target: String, template: String, body: HTTPBody = .empty,
        missing: Bool = false, isQuiet: Bool = false
    ) async throws -> Answer {
        let request = request(method, target, body)
        return try await telemetry.observe(operation, isWaiting: false) {
            try await send(request, isQuiet ? waiting : http, template: template, missing: missing)
        }
    }

    /// A question that is answered when something has changed since `index`, or the wait is over.
    func wait(_ operation: String, _ target: String, index: UInt64, waitMilliseconds: Int) async throws -> Answer {
        guard index > 0 else {
            return try await telemetry.observe(operation, isWaiting: true) {
                try await send(request(.get, target, .empty), waiting, template: nil, missing: true)
            }
        }
        let target = Self.adding(["index=\(index)", "wait=\(waitMilliseconds)ms"], to: target)
        // The server adds up to a sixteenth by chance.
        let limit = waitMilliseconds + waitMilliseconds / 16 + configuration.requestTimeoutMilliseconds
        return try await telemetry.observe(operation, isWaiting: true) {
            try await send(
                request(.get, target, .empty), waiting, template: nil, missing: true, timeoutMilliseconds: limit)
        }
    }

    private func request(_ method: HTTPMethod, _ target: String, _ body: HTTPBody) -> HTTPRequest {
        var request = HTTPRequest(method: method, target: target, body: body)
        request.headers.add("accept", "application/json")
        if let token = configuration.token { request.headers.add("x-consul-token", token.exposed) }
        return request
    }

    private func send(
        _ request: HTTPRequest, _ client: HTTPClient, template: String?, missing: Bool, timeoutMilliseconds: Int? = nil
    ) async throws -> Answer {
        do {
            let response = try await client.send(
                request, to: configuration.url, timeoutMilliseconds: timeoutMilliseconds, urlTemplate: template)
            let bytes = try await response.body.collect(upTo: Self.maxAnswerBytes)
            let index = response.headers["x-consul-index"].flatMap { UInt64($0) }
            switch response.status.code {
            case 200...299:
                // Without a permission reads are not refused but left empty: who cannot see must not take it for nothing.
                if response.headers["x-consul-results-filtered-by-acls"] == "true" {
                    throw ConsulError.permissionDenied
                }
                return Answer(bytes: bytes, index: index, isMissing: false)
            case 404 where missing: return Answer(bytes: [], index: index, isMissing: true)
            case 401, 403: throw ConsulError.permissionDenied
            default: throw ConsulError.answered(status: response.status.code)
            }
        } catch let error as HTTPClientError {
            if case .responseTooLarge = error { throw ConsulError.tooLarge(limit: Self.maxAnswerBytes) }
            throw ConsulError.unreachable(error)
        } catch is HTTPBodyTooLarge {
            throw ConsulError.tooLarge(limit: Self.maxAnswerBytes)
        } catch is HTTPBodyCut {
            throw ConsulError.unreachable(.disconnected)
        }
    }

    private static func decode<T: Decodable>(_ type: T.Type, _ answer: Answer) throws(ConsulError) -> T {
        do { return try JSONDecoder().decode(type, from: Data(answer.bytes)) } catch {
            throw ConsulError.malformed("it is not the JSON that was expected")
        }
    }

    // MARK: Targets

    private func query(_ path: String, _ consistency: Consistency, _ parameters: [String] = []) -> String {
        var parameters = parameters
        if case .stale = consistency { parameters.append("stale") }
        if let datacenter = configuration.datacenter { parameters.append("dc=" + Self.encode(datacenter)) }
        return Self.adding(parameters, to: path)
    }

    private static func adding(_ parameters: [String], to target: String) -> String {
        guard !parameters.isEmpty else { return target }
        return target + (target.contains("?") ? "&" : "?") + parameters.joined(separator: "&")
    }

    /// Percent-encodes all but unreserved characters and slashes, which stand in keys as they are (RFC 3986, section 2.3).
    static func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] {
                    encoded.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
                }
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
