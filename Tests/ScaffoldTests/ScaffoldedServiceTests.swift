import FoundationEssentials
import LocalStack
import TelemetryTesting
import Testing

/// A service that `vitrine new` makes in a copy of this tree builds there, its tests pass, and it runs and is seen.
@Suite struct ScaffoldedServiceTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    private static let vitrine = root + "/.build/debug/vitrine"

    /// A copy of the tree, without its other tests, which are gone after the test.
    private func withCopy(_ body: (String) async throws -> Void) async throws {
        let copy = "/tmp/vitrine-scaffold-\(ProcessInfo.processInfo.processIdentifier)"
        _ = try run(["mkdir", "-p", copy + "/Tests"], in: "/tmp")
        defer { _ = try? Command.run(["rm", "-rf", copy]) }
        for part in ["Package.swift", "Sources", "docker-compose.yml", ".swift-format"] {
            _ = try run(["cp", "-rL", "\(Self.root)/\(part)", copy], in: copy)
        }
        let manifest = try String(contentsOfFile: copy + "/Package.swift", encoding: .utf8)
        let cut =
            "package.targets.removeAll { $0.isTest && $0.name != \"AssetsTests\" || $0.path?.hasPrefix(\"Benchmarks\") == true }\n"
        try (manifest + cut).write(toFile: copy + "/Package.swift", atomically: true, encoding: .utf8)
        try await body(copy)
    }

    @discardableResult
    private func run(
        _ arguments: [String], in folder: String, environment: [String: String] = [:]
    ) throws -> String {
        let result = try Command.run(
            arguments, environment: environment, folder: folder, timeoutMilliseconds: 1_200_000)
        try #require(result.status == 0, "\(arguments.joined(separator: " ")): \(result.output.suffix(4_000))")
        return result.output
    }

    @Test func itBuildsPassesItsTestsRunsAndIsSeen() async throws {
        try await withCopy { copy in
            try run(
                [
                    Self.vitrine, "new", "service", "assets", "code:code,unique,searchable", "price:money",
                    "state:choice(new|in_use),defaulted,indexed", "bought_at:time?",
                ], in: copy)
            try run(
                [
                    Self.vitrine, "new", "model", "asset_check", "asset_id:ref(asset)", "done:bool,defaulted",
                    "--service", "assets",
                ], in: copy)
            try run(
                [
                    "swift", "format", "lint", "--strict", "--configuration", ".swift-format", "-r",
                    "Sources/Services/Assets", "Sources/Operations/Wiring", "Tests/AssetsTests",
                ], in: copy)
            try run(["swift", "build", "--build-tests"], in: copy)
            let tests = try run(["swift", "test", "--skip-build", "--no-parallel"], in: copy)
            #expect(tests.contains("Test run with 6 tests in 2 suites passed"), "\(tests.suffix(2_000))")
            try await runs(copy)
        }
    }

    private func runs(_ copy: String) async throws {
        let port = try Ports.free()
        let service = try LocalStack.ChildProcess(
            name: "assets", [copy + "/.build/debug/vitrine", "run", "assets"],
            environment: [
                "ASSETS_PORT": "\(port)", "ASSETS_DATABASE_URL": try await TestServers.postgresDatabase(),
                "JWT_SECRET": "a test secret of at least thirty-two bytes",
                "IDENTITY_SECRET": "another test secret of at least thirty-two",
            ], folder: copy, logPath: copy + "/assets.log")
        defer { service.stop() }
        func get(_ path: String) throws -> String? {
            let answer = try Command.run(["curl", "-fsS", "-m", "10", "http://127.0.0.1:\(port)\(path)"])
            return answer.status == 0 ? answer.output : nil
        }
        let isReady = try await eventually { try get("/health/ready") != nil }
        try #require(isReady, "\((try? String(contentsOfFile: copy + "/assets.log", encoding: .utf8)) ?? "")")
        #expect(try get("/openapi.json")?.contains("/api/v1/asset-checks/{id}") == true)
        #expect(try get("/docs")?.contains("<html") == true)
        #expect(try get("/metrics")?.contains("http_route=\"/api/v1/assets/{id}\"") == true)
    }
}
