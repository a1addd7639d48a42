import EventLoop
import FoundationEssentials
import LocalStack
import Models
import Purchase
import ServiceKit
import ServiceTesting
import Testing
import Users
import Warehouse

/// An independent judge, schemathesis, sends what the OpenAPI documents allow and forbid, and holds every answer to
/// them: no server error, no undocumented status, no answer against its schema.
@Suite(.enabled(if: Schemathesis.isInstalled, "schemathesis is installed by 'make setup'"))
struct SchemathesisTests {
    @Test func usersWarehouseAndPurchase() async throws {
        let services = [UsersService.definition, WarehouseService.definition, PurchaseService.definition]
        try await Deployment.run(services) { shop in
            var cases = 0
            for service in services { cases += try await judge(shop, service.name, phases: "fuzzing", examples: 26) }
            #expect(cases >= 2_000)
        }
    }

    @Test func everyTypeAndTrait() async throws {
        try await Deployment.run([Samples.service]) { shop in
            let cases = try await judge(shop, "workshop", phases: "coverage,stateful", examples: 5)
            #expect(cases >= 500)
        }
    }

    /// - Parameters:
    ///   - phases: the boundaries of every type are tried on the workshop; the services, which are made of the same types,
    ///     get requests at random.
    ///   - examples: for each operation.
    /// - Returns: how many cases it tried.
    private func judge(
        _ shop: Deployment, _ service: String, phases: String, examples: Int
    ) async throws -> Int {
        let url = try shop.url(service)
        let workers = WorkerPool(threads: 1, name: "schemathesis")
        let result = try await workers.run {
            try Schemathesis.run(url + "/openapi.json", as: .superuserOfAlpha, phases: phases, examples: examples)
        }
        workers.shutdown()
        let tail = result.output.split(separator: "\n").suffix(60).joined(separator: "\n")
        #expect(result.status == 0, "\(tail)")
        return try #require(Schemathesis.cases(in: result.output), "\(tail)")
    }
}

private enum Schemathesis {
    /// More would wait for one interpreter, and meet on rows in another order with every run.
    private static let workers = 1
    private static let program: String = {
        if let path = ProcessInfo.processInfo.environment["VITRINE_SCHEMATHESIS"] { return path }
        return root + "/.vitrine/venv/bin/st"
    }()
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    static func run(_ document: String, as person: Person, phases: String, examples: Int) throws -> (
        status: Int32, output: String
    ) {
        let result = try Command.run(
            [
                program, "--config-file", root + "/Tests/Judges/schemathesis.toml", "run", document, "--header",
                "Authorization: \(person.bearer)", "--max-examples",
                "\(examples)", "--phases", phases, "--seed", "1", "--workers", "\(workers)", "--request-timeout", "60",
                "--no-shrink",
                // What is made of models; other routes ask services that do not run here.
                "--include-path-regex", "^/api/v1/",
                "--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure",
                // One of its checks asks that whatever fits the document is accepted. No document can say which rows
                // are there to refer to, which values are free, or which version a row has.
                "--exclude-checks", "positive_data_acceptance",
            ], timeoutMilliseconds: 900_000)
        return (result.status, result.output)
    }

    /// The number of cases that the summary tells of: `6492 generated, …`.
    static func cases(in output: String) -> Int? {
        for line in output.split(separator: "\n") where line.contains(" generated,") {
            if let number = line.split(separator: " ").first.flatMap({ Int($0) }) { return number }
        }
        return nil
    }
}

extension Person {
    /// May do everything that a resource offers, and cross companies.
    static let superuserOfAlpha = Person(roles: ["superuser", "manager"], company: alpha)
}
