import Consul
import ConsulTesting
import EventLoop
import HTTP
import HTTPCodec
import Security
import ServiceKit
import ServiceTesting
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@testable import Gateway

/// The gateway before instances that come, leave and die, as Consul tells of them.
@Suite struct GatewayDiscoveryTests {
    /// An instance of orders that says who it is and who asks; the platform's own service host around it.
    private struct Instance {
        let host: ServiceHost

        init(_ name: String, _ values: [String: String]) async throws {
            let definition = ServiceDefinition(name: "orders", summary: "orders under test", port: 0) { app in
                app.routes("/order-api") { group in
                    let answer: RouteGroup.Handler = { request in
                        let caller = request.identity
                        return try .json([name, caller?.userID ?? "", caller?.companyID ?? ""])
                    }
                    group.get("/orders", .open, answer)
                    group.post("/orders", .open, answer)
                }
            }
            var settings = Deployment.secrets.merging(values) { $1 }
            settings["ORDERS_PORT"] = "0"
            settings["DRAIN_TIMEOUT_SECONDS"] = "30"
            host = ServiceHost(services: [definition], values: settings, group: Deployment.group) { _ in .disabled() }
            try await host.start()
        }
    }

    private func beside<T>(_ body: (ConsulStandIn, [String: String]) async throws -> T) async throws -> T {
        let consul = try await ConsulStandIn(group: Deployment.group)
        let values = [
            "CONSUL_HTTP_ADDR": consul.url, "CONSUL_CHECK_INTERVAL_SECONDS": "1", "CONSUL_LEAVE_MS": "0",
            "CONSUL_WAIT_SECONDS": "60", "ORDERS_URL": "http://127.0.0.1:1",
            "GATEWAY_RATE_LIMIT_PER_SECOND": "1000000",
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

    private static let user = "00000000-0000-4000-8000-000000000007"
    private static let company = "00000000-0000-4000-8000-0000000000c1"

    /// What clients saw while something happened.
    private final class Seen: Sendable {
        struct Record: Sendable {
            var statuses: [Int: Int] = [:]
            var instances: [String: Int] = [:]
            var callers: Set<String> = []
        }
        private let record = Mutex(Record())
        let isOver = Atomic<Bool>(false)

        func note(_ reply: Reply) {
            let parts = (try? reply.decode([String].self)) ?? []
            record.withLock { record in
                record.statuses[reply.status, default: 0] += 1
                guard parts.count == 3 else { return }
                record.instances[parts[0], default: 0] += 1
                record.callers.insert("\(parts[1]) of \(parts[2])")
            }
        }
        var all: Record { record.withLock { $0 } }
        func count(_ instance: String) -> Int { all.instances[instance] ?? 0 }
    }

    /// Clients that read and write all the time while `body` runs.
    private func underLoad(_ gateway: Deployment, methods: [HTTPMethod], _ body: (Seen) async throws -> Void)
        async throws
        -> Seen.Record
    {
        let seen = Seen()
        let person = Person(roles: ["user"], company: Self.company, subject: Self.user)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    while !seen.isOver.load(ordering: .relaxed) {
                        let method = methods[number % methods.count]
                        seen.note(
                            try await gateway.send(
                                "gateway", method, "/order-api/orders",
                                headers: [("authorization", person.bearer)], json: method == .post ? "{}" : nil))
                    }
                }
            }
            do { try await body(seen) } catch {
                seen.isOver.store(true, ordering: .relaxed)
                throw error
            }
            seen.isOver.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
        return seen.all
    }

    private func instances(_ gateway: Deployment) throws -> Double {
        try gateway.capture("gateway").value(#"discovery_instances{upstream="orders",source="consul"}"#) ?? 0
    }

    @Test func anInstanceThatDrainsCostsNoRequestAndANewOneTakesItsPart() async throws {
        try await beside { (consul, values) async throws in
            // Enough for the news to reach the gateway on the slowest machine.
            let first = try await Instance("first", values.merging(["CONSUL_LEAVE_MS": "4000"]) { $1 })
            #expect(await eventually { consul.serviceIDs.contains { $0.hasPrefix("orders") } })
            try await Deployment.run([GatewayService.definition], values: values) {
                (gateway: Deployment) async throws in
                #expect(try await eventually { try instances(gateway) == 1 })
                let second = Mutex<Instance?>(nil)
                let seen = try await underLoad(gateway, methods: [.get, .post]) { (seen: Seen) async throws in
                    #expect(await eventually { seen.count("first") > 20 })
                    let newcomer = try await Instance("second", values)
                    second.withLock { $0 = newcomer }
                    #expect(await eventually { seen.count("second") > 20 })
                    await first.host.stop()
                    let before = seen.count("second")
                    #expect(await eventually { seen.count("second") > before + 50 })
                }
                #expect(Set(seen.statuses.keys) == [200])
                #expect(seen.callers == ["\(Self.user) of \(Self.company)"])
                await second.withLock { $0 }?.host.stop()
            }
        }
    }

    @Test func anInstanceThatIsKilledCostsNoReadAndNoLaterWrite() async throws {
        try await beside { (consul, values) async throws in
            let client = ConsulClient(
                configuration: .init(url: consul.url), group: Deployment.group, telemetry: .disabled())
            let answer: @Sendable (String) -> HTTPHandler = { name in
                { _ in HTTPResponse(body: .bytes(Array(#"["\#(name)","",""]"#.utf8))) }
            }
            let victim = try await StandIn(answer("victim"))
            let survivor = try await StandIn(answer("survivor"))
            for (name, server) in [("victim", victim), ("survivor", survivor)] {
                let port = Int(server.url.split(separator: ":").last ?? "") ?? 0
                var registration = ServiceRegistration(
                    id: "orders-\(name)", name: "orders", address: "127.0.0.1", port: port)
                registration.check = .init(url: server.url + "/health/ready")
                registration.check?.intervalSeconds = 1
                try await client.register(registration)
            }
            try await Deployment.run([GatewayService.definition], values: values) {
                (gateway: Deployment) async throws in
                #expect(try await eventually { try instances(gateway) == 2 })
                let reads = try await underLoad(gateway, methods: [.get]) { (seen: Seen) async throws in
                    #expect(await eventually { seen.count("victim") > 20 && seen.count("survivor") > 20 })
                    await victim.stop()
                    let before = seen.count("survivor")
                    #expect(await eventually { seen.count("survivor") > before + 200 })
                    #expect(try await eventually { try instances(gateway) == 1 })
                }
                #expect(Set(reads.statuses.keys) == [200])
                let writes = try await underLoad(gateway, methods: [.post]) { (seen: Seen) async throws in
                    #expect(await eventually { seen.count("survivor") > 50 })
                }
                #expect(Set(writes.statuses.keys) == [200])
                #expect(try gateway.capture("gateway").value(#"gateway_breaker_open{upstream="orders"}"#) == 0)
            }
            await survivor.stop()
            await client.shutdown()
        }
    }

    @Test func theGatewayStartsWithoutConsulAtTheAddressesOfItsSettings() async throws {
        try await beside { (consul, values) async throws in
            await consul.goAway()
            let instance = try await Instance("only", values)
            var values = values
            values["ORDERS_URL"] = instance.host.endpoints[0].url
            try await Deployment.run([GatewayService.definition], values: values) {
                (gateway: Deployment) async throws in
                let reply = try await gateway.send("gateway", .get, "/order-api/orders")
                #expect(reply.status == 200)
                #expect(try await gateway.send("gateway", .get, "/health/ready").status == 200)
                #expect(
                    try gateway.capture("gateway").value(#"discovery_instances{upstream="orders",source="static"}"#)
                        == 1)
                try await consul.comeBack()
                #expect(try await eventually { try instances(gateway) == 1 })
                #expect(try await gateway.send("gateway", .get, "/order-api/orders").status == 200)
            }
            await instance.host.stop()
        }
    }

    @Test func whatWasKnownLastStaysWhenConsulGoes() async throws {
        try await beside { (consul, values) async throws in
            let instance = try await Instance("only", values)
            #expect(await eventually { !consul.serviceIDs.isEmpty })
            try await Deployment.run([GatewayService.definition], values: values) {
                (gateway: Deployment) async throws in
                #expect(try await eventually { try instances(gateway) == 1 })
                await consul.goAway()
                #expect(
                    try await eventually {
                        try gateway.capture("gateway").logLines.contains { $0.contains("consul.watch_lost") }
                    })
                for _ in 0..<20 {
                    #expect(try await gateway.send("gateway", .get, "/order-api/orders").status == 200)
                }
                #expect(try await gateway.send("gateway", .get, "/health/ready").status == 200)
            }
            await instance.host.stop()
        }
    }
}
