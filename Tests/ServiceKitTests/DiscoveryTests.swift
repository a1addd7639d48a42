import Configuration
import Consul
import ConsulTesting
import EventLoop
import HTTP
import HTTPCodec
import Security
import ServiceKit
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// Services that find each other through Consul, and without it.
@Suite struct DiscoveryTests {
    /// Runs a body beside a stand-in, with the settings that lead to it.
    private func beside<T>(
        token: String? = nil, _ body: (ConsulStandIn, [String: String]) async throws -> T
    ) async throws -> T {
        let consul = try await ConsulStandIn(group: TestService.group, token: token)
        let values = [
            "CONSUL_HTTP_ADDR": consul.url, "CONSUL_CHECK_INTERVAL_SECONDS": "1", "CONSUL_LEAVE_MS": "50",
            "CONSUL_WAIT_SECONDS": "5",
        ]
        do {
            let result = try await body(consul, values)
            await consul.stop()
            return result
        } catch {
            await consul.stop()
            throw error
        }
    }

    private func client(_ consul: ConsulStandIn) -> ConsulClient {
        ConsulClient(configuration: .init(url: consul.url), group: TestService.group, telemetry: .disabled())
    }

    /// A service whose answer says which instance gave it, and who asked.
    private static func ledger(_ name: String) -> @Sendable (Application) async throws -> Void {
        { app in
            app.routes("/ledger") { group in
                group.get("/name", .open) { _ in try .json(name) }
                group.post("/name", .open) { _ in try .json(name) }
                group.get("/who", .user) { request in
                    let caller = try request.caller()
                    return try .json("\(caller.userID) of \(caller.companyID ?? "nowhere")")
                }
            }
        }
    }

    private func name(_ services: ServiceClient) async throws -> String {
        try await services.get("ledger", "/ledger/name", template: "/ledger/name", as: .service)
    }

    // MARK: Being found

    @Test func aServiceRegistersWhenItIsReadyAndLeavesFirstThing() async throws {
        try await beside { (consul, values) async throws in
            let client = client(consul)
            let lines = try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (service: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
                let found = try await client.healthyInstances(of: "ledger")
                #expect(found.map(\.url) == [service.url])
                #expect(found.first?.id == "ledger-127.0.0.1-\(service.url.split(separator: ":").last ?? "")")
                #expect(await eventually { service.capture.value("discovery_registered") == 1 })
                return service.capture
            }
            #expect(consul.serviceIDs.isEmpty)
            #expect(lines.logLines(event: DiscoveryTelemetry.joined).count == 1)
            #expect(lines.logLines(event: DiscoveryTelemetry.left).count == 1)
            #expect(lines.value("discovery_registered") == 0)
            await client.shutdown()
        }
    }

    @Test func aServiceThatTheAgentHasLostRegistersAgain() async throws {
        try await beside { (consul, values) async throws in
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (_: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
                consul.forgetServices()
                #expect(consul.serviceIDs.isEmpty)
                #expect(await eventually { consul.serviceIDs.count == 1 })
            }
        }
    }

    @Test func aServiceThatIsNotReadyIsNotFound() async throws {
        let isDown = Atomic<Bool>(false)
        try await beside { (consul, values) async throws in
            try await TestService.run(
                name: "ledger", values: values,
                build: { app in
                    app.readiness("vault") { if isDown.load(ordering: .relaxed) { throw CancellationError() } }
                }
            ) { (_: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
                let id = try #require(consul.serviceIDs.first)
                isDown.store(true, ordering: .relaxed)
                #expect(await eventually { consul.status(of: id) == "critical" })
                isDown.store(false, ordering: .relaxed)
                #expect(await eventually { consul.status(of: id) == "passing" })
            }
        }
    }

    @Test func aServiceStartsWithoutConsulAndRegistersWhenItComes() async throws {
        try await beside { (consul, values) async throws in
            await consul.goAway()
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (service: TestService) async throws in
                #expect(try await service.get("/health/ready").status == 200)
                #expect(
                    await eventually { !service.capture.logLines(event: DiscoveryTelemetry.registrationFailed).isEmpty }
                )
                try await consul.comeBack()
                #expect(await eventually { consul.serviceIDs.count == 1 })
                #expect(service.capture.logLines(event: DiscoveryTelemetry.registrationFailed).count == 1)
            }
        }
    }

    @Test(arguments: [ConsulStandIn.Fault.hanging, .failing, .garbage])
    func aServiceWorksWhateverConsulDoes(fault: ConsulStandIn.Fault) async throws {
        try await beside { (consul, values) async throws in
            consul.set(fault)
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (ledger: TestService) async throws in
                var values = values
                values["LEDGER_URL"] = ledger.url
                try await TestService.run(name: "caller", values: values, build: { _ in }) {
                    (caller: TestService) async throws in
                    #expect(try await caller.get("/health/ready").status == 200)
                    let services = try #require(caller.host.application("caller")).services
                    #expect(try await name(services) == "a")
                }
            }
        }
    }

    @Test func aRefusedTokenIsToldAndTheServiceWorks() async throws {
        try await beside(token: "right-token") { (consul, values) async throws in
            var values = values
            values["CONSUL_HTTP_TOKEN"] = "wrong-token"
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (service: TestService) async throws in
                #expect(
                    await eventually {
                        service.capture.logLines(event: DiscoveryTelemetry.registrationFailed).contains {
                            $0.contains("permission_denied")
                        }
                    })
                #expect(!service.capture.logLines.joined().contains("wrong-token"))
                #expect(try await service.get("/health/ready").status == 200)
            }
            values["CONSUL_HTTP_TOKEN"] = "right-token"
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (_: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
            }
        }
    }

    @Test func aWorkerIsNobodysAddress() async throws {
        try await beside { (consul, values) async throws in
            var settings = TestService.secrets.merging(values) { $1 }
            settings["LEDGER_WORKER_PORT"] = "0"
            let definition = ServiceDefinition(
                name: "ledger", summary: "a service under test", port: 0, build: Self.ledger("a"))
            let host = ServiceHost(
                services: [definition], values: settings, group: TestService.group, role: .worker
            ) { _ in .disabled() }
            try await host.start()
            await host.stop()
            #expect(!consul.requests.contains { $0.hasPrefix("PUT") })
        }
    }

    @Test(arguments: [
        ("CONSUL_HTTP_ADDR", "unix:///run/consul.sock"), ("CONSUL_WAIT_SECONDS", "0"), ("CONSUL_LEAVE_MS", "-1"),
    ])
    func aSettingThatCannotBeMeantIsAMistake(name: String, value: String) async throws {
        await #expect {
            try await TestService.run(
                values: ["CONSUL_HTTP_ADDR": "127.0.0.1:1"].merging([name: value]) { $1 }, build: { _ in }
            ) { (_: TestService) in }
        } throws: { ($0 as? ConfigurationError)?.problems.contains { $0.hasPrefix("\(name) is '\(value)'") } == true }
    }

    // MARK: Finding

    @Test func callsSpreadOverTheInstancesAndFollowThemAsTheyComeAndGo() async throws {
        try await beside { (consul, values) async throws in
            try await TestService.run(name: "caller", values: values, build: { _ in }) {
                (caller: TestService) async throws in
                let services = try #require(caller.host.application("caller")).services
                try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                    (_: TestService) async throws in
                    #expect(await eventually { (try? await name(services)) == "a" })
                    try await TestService.run(name: "ledger", values: values, build: Self.ledger("b")) {
                        (_: TestService) async throws in
                        var seen: Set<String> = []
                        #expect(
                            try await eventually {
                                seen.insert(try await name(services))
                                return seen == ["a", "b"]
                            })
                        let identity = Identity(userID: "u-7", username: "mira", roles: ["user"], companyID: "c-1")
                        for _ in 0..<20 {
                            let who: String = try await services.get(
                                "ledger", "/ledger/who", template: "/ledger/who", as: .user(identity))
                            #expect(who == "u-7 of c-1")
                        }
                    }
                    // Whoever has left is not asked any more: nothing fails.
                    for _ in 0..<20 { #expect(try await name(services) == "a") }
                }
                #expect(caller.capture.value(#"discovery_instances{upstream="ledger",source="consul"}"#) != nil)
            }
        }
    }

    @Test func aCallThatFailsAtOneInstanceSucceedsAtAnother() async throws {
        try await beside { (consul, values) async throws in
            let client = client(consul)
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (_: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
                // It passes its checks, as it has none, and nobody is there.
                try await client.register(
                    ServiceRegistration(id: "ledger-gone", name: "ledger", address: "127.0.0.1", port: 1))
                try await TestService.run(name: "caller", values: values, build: { _ in }) {
                    (caller: TestService) async throws in
                    let services = try #require(caller.host.application("caller")).services
                    let instances = #"discovery_instances{upstream="ledger",source="consul"}"#
                    #expect(try await name(services) == "a")
                    #expect(caller.capture.value(instances) == 2)
                    for _ in 0..<20 {
                        #expect(try await name(services) == "a")
                        // It never left, so it may go elsewhere although it must not be sent twice.
                        let posted: String = try await services.post(
                            "ledger", "/ledger/name", template: "/ledger/name", as: .service, body: ["a": 1])
                        #expect(posted == "a")
                    }
                }
            }
            await client.shutdown()
        }
    }

    @Test func whatWasKnownLastStaysWhenConsulIsGone() async throws {
        try await beside { (consul, values) async throws in
            var values = values
            values["LEDGER_URL"] = "http://127.0.0.1:1"
            try await TestService.run(name: "ledger", values: values, build: Self.ledger("a")) {
                (_: TestService) async throws in
                #expect(await eventually { consul.serviceIDs.count == 1 })
                try await TestService.run(name: "caller", values: values, build: { _ in }) {
                    (caller: TestService) async throws in
                    let services = try #require(caller.host.application("caller")).services
                    #expect(try await name(services) == "a")
                    await consul.goAway()
                    #expect(await eventually { caller.capture.logLines.contains { $0.contains("consul.watch_lost") } })
                    for _ in 0..<20 { #expect(try await name(services) == "a") }
                    #expect(try await caller.get("/health/ready").status == 200)
                    try await consul.comeBack()
                    // A word that nobody is well is not believed either.
                    consul.forgetServices()
                    for _ in 0..<20 { #expect(try await name(services) == "a") }
                }
            }
        }
    }

    @Test func aServiceThatConsulDoesNotKnowIsWhereTheSettingsSay() async throws {
        try await beside { (_, values) async throws in
            try await TestService.run(name: "ledger", build: Self.ledger("a")) { (ledger: TestService) async throws in
                var values = values
                values["LEDGER_URL"] = ledger.url
                try await TestService.run(name: "caller", values: values, build: { _ in }) {
                    (caller: TestService) async throws in
                    let services = try #require(caller.host.application("caller")).services
                    #expect(try await name(services) == "a")
                    #expect(caller.capture.value(#"discovery_instances{upstream="ledger",source="static"}"#) == 1)
                }
            }
        }
    }

    @Test func withoutConsulNothingIsAskedAndNothingTold() async throws {
        try await TestService.run(name: "caller", build: { _ in }) { (caller: TestService) async throws in
            #expect(!caller.capture.text.contains("consul_") && !caller.capture.text.contains("discovery_"))
        }
    }

    // MARK: Settings

    @Test func settingsFollowTheStoreUnlessTheyAreNotValid() async throws {
        try await beside { (consul, values) async throws in
            let client = client(consul)
            let applied = Mutex<[Int]>([])
            var values = values
            values["LEDGER_OWN"] = "7"
            try await TestService.run(
                name: "ledger", values: values,
                build: { app in
                    app.followSettings("vitrine/ledger/") { reader in
                        (
                            ttl: reader.int("LEDGER_TTL", default: 1, in: 1...100),
                            own: reader.int("LEDGER_OWN", default: 2, in: 1...100)
                        )
                    } apply: { settings in
                        applied.withLock { $0.append(settings.ttl * 100 + settings.own) }
                    }
                }
            ) { (ledger: TestService) async throws in
                #expect(await eventually { applied.withLock { $0 == [107] } })
                _ = try await client.put("vitrine/ledger/LEDGER_TTL", Array("30".utf8))
                #expect(await eventually { applied.withLock { $0.last == 3_007 } })
                // What the process was told itself wins.
                _ = try await client.put("vitrine/ledger/LEDGER_OWN", Array("50".utf8))
                _ = try await client.put("vitrine/ledger/LEDGER_TTL", Array("many".utf8))
                #expect(
                    await eventually { !ledger.capture.logLines(event: DiscoveryTelemetry.settingsRefused).isEmpty })
                #expect(applied.withLock { $0.allSatisfy { $0 == 107 || $0 == 3_007 } })
                _ = try await client.delete("vitrine/ledger/LEDGER_TTL")
                #expect(await eventually { applied.withLock { $0.last == 107 } })
            }
            await client.shutdown()
        }
    }
}
