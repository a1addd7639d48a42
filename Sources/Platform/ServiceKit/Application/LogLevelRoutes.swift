internal import HTTP
internal import HTTPCodec
internal import Security
internal import Telemetry

/// Levels of loggers while the service runs: `/admin/log-levels`, for administrators only, because what is logged decides
/// who can be followed. A level that is set ends by itself, and each change is a line of the log.
///
/// Not open to the loopback address: behind a proxy on the same machine everybody comes from there.
struct LogLevelRoutes: Sendable {
    let logger: Logger

    static let changed = LogEvent(
        "service.log_level_changed", level: .warn, help: "An administrator set or ended the level of a logger.",
        maxRepeatsPerSecond: 0)
    static let fields: [AttributeKey] = [.loggerName, .loggerLevel, .seconds, .userID]

    private static let path = "/admin/log-levels"
    private static let maxBodyBytes = 1_024
    private static let maxNameBytes = 128
    private static let defaultSeconds = 900
    private static let maxSeconds = 86_400

    struct Setting: Decodable, Sendable, ClosedCodable {
        var level: String
        var ttlSeconds: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case level
            case ttlSeconds = "ttl_seconds"
        }
    }

    private struct Overview: Encodable {
        struct Entry: Encodable {
            let logger: String
            let level: String
            let secondsLeft: Int

            enum CodingKeys: String, CodingKey {
                case logger, level
                case secondsLeft = "seconds_left"
            }
        }

        let level: String
        let overrides: [Entry]
        let loggers: [String]
    }

    /// The routes that the service has not declared itself.
    func routes(besides declared: [Route]) -> [Route] {
        let one = Self.path + "/{logger}"
        let all = [
            route(.get, Self.path) { _ in try overview() },
            route(.put, one) { try await set($0) },
            route(.delete, one) { try end($0) },
        ]
        return all.filter { route in
            !declared.contains { $0.method == route.method && $0.template == route.template }
        }
    }

    private func route(_ method: HTTPMethod, _ path: String, _ handler: @escaping RouteGroup.Handler) -> Route {
        Route(
            method: MethodLabel(method), template: path, access: .admin, shape: .problem,
            maxBodyBytes: Self.maxBodyBytes, handler: .waiting(handler))
    }

    private func overview() throws -> HTTPResponse {
        try .json(
            Overview(
                level: logger.level.level.name,
                overrides: logger.levelOverrides().map {
                    .init(logger: $0.logger, level: $0.level.name, secondsLeft: $0.secondsLeft)
                },
                loggers: logger.level.loggers))
    }

    private func set(_ request: Request) async throws -> HTTPResponse {
        let name = try Self.name(request)
        let setting: Setting = try await request.json()
        guard let level = LogLevel(name: setting.level) else {
            throw HTTPError.invalid(
                ["body", "level"], "Input should be 'debug', 'info', 'warn' or 'error'", type: "literal_error")
        }
        let seconds = setting.ttlSeconds ?? Self.defaultSeconds
        guard (1...Self.maxSeconds).contains(seconds) else {
            throw HTTPError.invalid(
                ["body", "ttl_seconds"], "Input should be from 1 to \(Self.maxSeconds)", type: "value_error")
        }
        guard logger.setLevel(level, of: name, forSeconds: seconds) else {
            throw HTTPError(
                .conflict, "log_levels.too_many",
                "\(LogLevelControl.maxOverrides) levels are set already: end one of them first")
        }
        tell("the level of \(name) is \(level.name) for \(seconds) s", name, level.name, seconds, request)
        return try overview()
    }

    private func end(_ request: Request) throws -> HTTPResponse {
        let name = try Self.name(request)
        guard logger.level.removeOverride(name) else {
            throw HTTPError(.notFound, "not_found", "this logger has no level of its own")
        }
        let level = logger.level.level(of: name).name
        tell("the level of \(name) is \(level) again", name, level, 0, request)
        return .empty()
    }

    private func tell(_ message: String, _ name: String, _ level: String, _ seconds: Int, _ request: Request) {
        logger.log(
            Self.changed, message,
            [
                Attribute(.loggerName, .string(name)), Attribute(.loggerLevel, .string(level)),
                Attribute(.seconds, .int(seconds)), Attribute(.userID, .string(request.identity?.userID ?? "")),
            ])
    }

    private static func name(_ request: Request) throws -> String {
        let name = request.parameter("logger")
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isName, (1...maxNameBytes).contains(name.utf8.count) else {
            throw HTTPError.invalid(
                ["path", "logger"], "Input should be the name of a logger, or '\(LogLevelControl.rootName)' for all",
                type: "value_error")
        }
        return name
    }
}

extension AttributeKey {
    fileprivate static let loggerName = AttributeKey("labels.logger")
    fileprivate static let loggerLevel = AttributeKey("labels.level")
    fileprivate static let seconds = AttributeKey("labels.ttl_seconds")
}
