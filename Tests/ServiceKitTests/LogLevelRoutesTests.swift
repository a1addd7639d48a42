import HTTP
import HTTPCodec
import ServiceKit
import Telemetry
import TelemetryTesting
import Testing

@Suite struct LogLevelRoutesTests {
    static let detail = LogEvent("test.detail", level: .debug, help: "A detail.")

    private func run(_ body: (TestService) async throws -> Void) async throws {
        try await TestService.run(
            build: { app in
                app.telemetry.logger.level.level = .info
                let logger = app.telemetry.logger.named("shopfront.search")
                app.routes("/search") { group in
                    group.get("/", .open) { _ in
                        logger.log(Self.detail, "a detail of the search")
                        return .empty()
                    }
                }
            }, body)
    }

    private func details(_ service: TestService) -> Int { service.capture.logLines(event: Self.detail).count }

    @Test func administratorSetsALevelForAWhileAndEndsIt() async throws {
        try await run { service in
            let admin = TestService.bearer(["admin"])
            _ = try await service.get("/search")
            #expect(details(service) == 0)
            let set = try await service.send(
                .put, "/admin/log-levels/shopfront", headers: admin, body: #"{"level":"debug","ttl_seconds":60}"#)
            #expect(set.status == 200)
            #expect(set.text.contains(#""overrides":[{"level":"debug","logger":"shopfront","seconds_left":60}]"#))
            #expect(set.text.contains(#""shopfront.search""#))
            _ = try await service.get("/search")
            #expect(details(service) == 1)
            #expect(
                service.capture.logLines.contains { $0.contains("service.log_level_changed") && $0.contains("u-1") })
            #expect(try await service.send(.delete, "/admin/log-levels/shopfront", headers: admin).status == 204)
            #expect(try await service.send(.delete, "/admin/log-levels/shopfront", headers: admin).status == 404)
            _ = try await service.get("/search")
            #expect(details(service) == 1)
            let overview = try await service.get("/admin/log-levels", headers: admin)
            #expect(overview.status == 200 && overview.text.contains(#""overrides":[]"#))
        }
    }

    @Test func nobodyElseSeesOrSetsLevels() async throws {
        try await run { service in
            let path = "/admin/log-levels"
            let body = #"{"level":"debug"}"#
            let user = TestService.bearer()
            let statuses = [
                try await service.get(path).status, try await service.get(path, headers: user).status,
                try await service.send(.put, path + "/root", body: body).status,
                try await service.send(.put, path + "/root", headers: user, body: body).status,
                try await service.send(.delete, path + "/root", headers: user).status,
            ]
            #expect(statuses == [401, 403, 401, 403, 403])
            #expect(service.capture.telemetry.logger.levelOverrides().isEmpty)
        }
    }

    @Test(arguments: [
        ("/root", #"{"level":"loud"}"#), ("/root", #"{"level":"debug","ttl_seconds":0}"#),
        ("/root", #"{"level":"debug","ttl_seconds":86401}"#), ("/root", #"{"ttl_seconds":60}"#),
        ("/root", #"{"level":"debug","forever":true}"#), ("/a%20b", #"{"level":"debug"}"#),
        ("/" + String(repeating: "a", count: 129), #"{"level":"debug"}"#),
    ])
    func wrongSettingsAreRefused(path: String, body: String) async throws {
        try await run { service in
            let answer = try await service.send(
                .put, "/admin/log-levels" + path, headers: TestService.bearer(["admin"]), body: body)
            #expect(answer.status == 422, "\(answer.text)")
            #expect(service.capture.telemetry.logger.levelOverrides().isEmpty)
        }
    }
}
