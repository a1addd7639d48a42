import FoundationEssentials
import LocalStack
import TelemetryTesting
import Testing

/// The tutorial of the SDK, done literally in a copy of this tree: the service that it makes builds, its tests pass, and it
/// runs and is seen.
@Suite struct TutorialTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// A copy of the tree, without its other tests, which are gone after the test.
    private func withCopy(_ body: (String) async throws -> Void) async throws {
        let copy = "/tmp/vitrine-scaffold-\(ProcessInfo.processInfo.processIdentifier)"
        _ = try run(["mkdir", "-p", copy + "/Tests"], in: "/tmp")
        defer { _ = try? Command.run(["rm", "-rf", copy]) }
        for part in ["Package.swift", "Sources", "deploy", "docs", "docker-compose.yml", ".swift-format"] {
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

    @Test func everyCommandOfItDoesWhatItShows() async throws {
        let text = try String(contentsOfFile: Self.root + "/docs/sdk/README.md", encoding: .utf8)
        let (port, workerPort) = (try Ports.free(), try Ports.free())
        let steps = Tutorial(
            text.replacing("127.0.0.1:8020", with: "127.0.0.1:\(port)")
                .replacing("127.0.0.1:9020", with: "127.0.0.1:\(workerPort)")
        ).steps
        try #require(steps.count > 15)
        let environment = [
            "ASSETS_PORT": "\(port)", "ASSETS_WORKER_PORT": "\(workerPort)",
            "ASSETS_DATABASE_URL": try await TestServers.postgresDatabase(), "REDIS_URL": try await TestServers.redis(),
        ]
        try await withCopy { copy in
            // One shell for all, as a person has one: what a step exports or starts, the next one finds.
            var script = "set -m; trap 'kill %1 %2 2> /dev/null' EXIT; exec 2>&1\n"
            for (number, step) in steps.enumerated() {
                switch step {
                case .command(let command, _): script += "echo '\(Self.mark)\(number)'\n\(command)\n"
                case .file(let path, let text):
                    script += "cat > \(path) <<'END_OF_FILE'\n\(text)END_OF_FILE\n"
                }
            }
            try script.write(toFile: copy + "/tutorial.sh", atomically: true, encoding: .utf8)
            let result = try Command.run(
                ["bash", "tutorial.sh"], environment: environment, folder: copy, timeoutMilliseconds: 900_000)
            var printed: [Int: String] = [:]
            for part in result.output.split(separator: Self.mark) {
                let pair = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
                guard let number = Int(pair[0]) else { continue }
                printed[number] = pair.count > 1 ? String(pair[1]) : ""
            }
            for (number, step) in steps.enumerated() {
                guard case .command(let command, let shown) = step else { continue }
                let output = try #require(
                    printed[number], "it never came to: \(command)\n\(result.output.suffix(2_000))")
                let isAsShown = Tutorial.matches(output, shown)
                #expect(isAsShown, "$ \(command)\n\(output.suffix(2_000))")
                if !isAsShown { return }
            }
            try run(
                [
                    "swift", "format", "lint", "--strict", "--configuration", ".swift-format", "-r",
                    "Sources/Services/Assets", "Sources/Operations/Wiring", "Tests/AssetsTests",
                ], in: copy)
        }
    }

    private static let mark = "@@@ step "
}
