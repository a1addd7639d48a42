internal import FoundationEssentials
internal import HTTP
internal import HTTPCodec
internal import Telemetry

/// Answers one request as Consul's HTTP API does.
struct StandInRouter: Sendable {
    let store: StandInStore
    let checker: StandInChecker
    let token: String?
    let isGone: @Sendable () -> Bool

    private static let maxValueBytes = 512 * 1024
    private static let usualWaitMilliseconds = 300_000
    private static let maxWaitMilliseconds = 600_000

    func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        let parameters = StandInParameters(request.query ?? "")
        let path = String(request.path)
        guard let access = access(request, parameters) else { return .text(.forbidden, "ACL not found") }
        if let key = Self.rest(of: path, after: "/v1/kv/") {
            guard access == .granted else { return denied("key") }
            return try await keys(request, key, parameters)
        }
        if let name = Self.rest(of: path, after: "/v1/health/service/"), request.method == .get {
            return try await health(name, parameters, isFiltered: access == .anonymous)
        }
        if path.hasPrefix("/v1/agent/") {
            guard access == .granted else { return denied("service:write") }
            return try await agent(request, path)
        }
        if path == "/v1/status/leader" { return .json("\"127.0.0.1:8300\"") }
        return .text(.notFound, "Invalid URL path: not a recognized HTTP API endpoint")
    }

    // MARK: Tokens

    private enum Access { case granted, anonymous }

    /// - Returns: nil for a token that does not exist.
    private func access(_ request: HTTPRequest, _ parameters: StandInParameters) -> Access? {
        guard let token else { return .granted }
        var given = request.headers["x-consul-token"] ?? parameters["token"]
        if given == nil, let text = request.headers["authorization"], text.hasPrefix("Bearer ") {
            given = String(text.dropFirst("Bearer ".count))
        }
        guard let given, !given.isEmpty else { return .anonymous }
        return given == token ? .granted : nil
    }

    private func denied(_ permission: String) -> HTTPResponse {
        .text(.forbidden, "Permission denied: anonymous token lacks permission '\(permission)'")
    }

    // MARK: Blocking

    /// Answers at once, or when the index is beyond the one asked for, or when the wait is over.
    private func blocking(
        _ parameters: StandInParameters, _ read: () throws -> (response: HTTPResponse, index: UInt64)
    ) async throws -> HTTPResponse {
        let asked = parameters["index"].flatMap { UInt64($0) } ?? 0
        guard asked > 0 else { return try read().response }
        var wait = StandInParameters.milliseconds(parameters["wait"] ?? "") ?? Self.usualWaitMilliseconds
        wait = min(wait == 0 ? Self.usualWaitMilliseconds : wait, Self.maxWaitMilliseconds)
        wait += wait >= 16 ? Int.random(in: 0...wait / 16) : 0
        let end = TelemetryClock.system.monotonicNanoseconds() + UInt64(wait) * 1_000_000
        while true {
            let version = store.version
            let (response, index) = try read()
            let now = TelemetryClock.system.monotonicNanoseconds()
            if index > asked || now >= end { return response }
            if isGone() { return .text(.internalServerError, "No cluster leader") }
            await store.waitForChange(after: version, milliseconds: Int((end - now) / 1_000_000) + 1)
        }
    }

    // MARK: Health

    private func health(_ name: String, _ parameters: StandInParameters, isFiltered: Bool) async throws -> HTTPResponse
    {
        let isPassing = parameters.has("passing")
        return try await blocking(parameters) {
            let (services, index) = store.instances(of: name, isPassing: isPassing)
            let shown = isFiltered ? [] : services.map(StandInHealth.init)
            return (
                try .json(shown, index: index, isFiltered: isFiltered && !services.isEmpty), index
            )
        }
    }

    // MARK: Agent

    private func agent(_ request: HTTPRequest, _ path: String) async throws -> HTTPResponse {
        switch (request.method, path) {
        case (.put, "/v1/agent/service/register"):
            let body = try await request.body.collect(upTo: 1 << 20)
            guard let wanted = try? JSONDecoder().decode(StandInRegistration.self, from: Data(body)) else {
                return .text(.badRequest, "Request decode failed")
            }
            guard let service = wanted.service else { return .text(.badRequest, "Missing service name") }
            checker.begin(store.register(service))
            return HTTPResponse()
        case (.get, "/v1/agent/services"):
            let all = Dictionary(store.services.map { ($0.id, StandInAgentService($0)) }) { $1 }
            return try .json(all)
        default: break
        }
        if request.method == .put, let id = Self.rest(of: path, after: "/v1/agent/service/deregister/") {
            checker.end(id)
            guard store.deregister(id) else {
                return .text(
                    .notFound, "Unknown service ID \"\(id)\". Ensure that the service ID is passed, not the name.")
            }
            return HTTPResponse()
        }
        if request.method == .get, let id = Self.rest(of: path, after: "/v1/agent/service/") {
            guard let service = store.service(id) else { return .text(.notFound, "unknown service ID: \(id)") }
            return try .json(StandInAgentService(service))
        }
        return .text(.notFound, "Invalid URL path: not a recognized HTTP API endpoint")
    }

    // MARK: Keys and values

    private func keys(_ request: HTTPRequest, _ key: String, _ parameters: StandInParameters) async throws
        -> HTTPResponse
    {
        switch request.method {
        case .get: return try await read(key, parameters)
        case .put:
            let value = try await request.body.collect(upTo: 1 << 20)
            guard value.count <= Self.maxValueBytes else {
                return .text(
                    .contentTooLarge,
                    "Request body(\(value.count) bytes) too large, max size: \(Self.maxValueBytes) bytes.")
            }
            guard !key.isEmpty else { return .text(.badRequest, "Missing key name") }
            let isDone = store.put(
                key, value, flags: parameters["flags"].flatMap { UInt64($0) } ?? 0,
                cas: parameters["cas"].flatMap { UInt64($0) })
            return .json(isDone ? "true" : "false")
        case .delete:
            if parameters.has("recurse") {
                store.deleteAll(below: key)
                return .json("true")
            }
            guard !key.isEmpty else { return .text(.badRequest, "Missing key name") }
            return .json(store.delete(key, cas: parameters["cas"].flatMap { UInt64($0) }) ? "true" : "false")
        default: return .text(.methodNotAllowed, "method \(request.method.name) not allowed")
        }
    }

    private func read(_ key: String, _ parameters: StandInParameters) async throws -> HTTPResponse {
        try await blocking(parameters) {
            if parameters.has("recurse") || parameters.has("keys") {
                let (entries, index) = store.entries(below: key)
                guard !entries.isEmpty else { return (.json("", status: .notFound, index: index), index) }
                if parameters.has("keys") { return (try .json(entries.map(\.key), index: index), index) }
                return (try .json(entries.map { StandInEntry($0.key, $0.entry) }, index: index), index)
            }
            let (entry, index) = store.entry(key)
            guard let entry else { return (.json("", status: .notFound, index: index), index) }
            return (try .json([StandInEntry(key, entry)], index: index), index)
        }
    }

    private static func rest(of path: String, after prefix: String) -> String? {
        guard path.hasPrefix(prefix) else { return nil }
        return StandInParameters.decode(path.dropFirst(prefix.count))
    }
}
