import Consul
import ConsulTesting
import EventLoop
import HTTP
import HTTPCodec
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// The client before a stand-in on a real socket.
@Suite struct ConsulClientTests {
    static let group = EventLoopGroup(count: 2)

    /// A stand-in and a client of it, with its telemetry in memory.
    private func running<T>(
        token: String? = nil, as given: String? = nil, waitSeconds: Int = 60,
        _ body: (ConsulClient, ConsulStandIn, TelemetryCapture) async throws -> T
    ) async throws -> T {
        let consul = try await ConsulStandIn(group: Self.group, token: token)
        let capture = TelemetryCapture(sampler: .alwaysOn)
        var configuration = ConsulConfiguration(url: consul.url)
        configuration.token = given.map { Sensitive($0) }
        configuration.waitSeconds = waitSeconds
        let client = ConsulClient(configuration: configuration, group: Self.group, telemetry: capture.telemetry)
        do {
            let result = try await body(client, consul, capture)
            await client.shutdown()
            await consul.stop()
            return result
        } catch {
            await client.shutdown()
            await consul.stop()
            throw error
        }
    }

    private func registration(_ id: String, port: Int = 8_002) -> ServiceRegistration {
        var registration = ServiceRegistration(id: id, name: "orders", address: "127.0.0.1", port: port)
        registration.tags = ["v1"]
        registration.meta = ["version": "1.0"]
        return registration
    }

    /// What a watch has told so far.
    final class Told<Value: Sendable>: Sendable {
        private let events = Mutex<[Value]>([])
        private let count = Atomic<Int>(0)
        func note(_ event: ConsulWatch.Event<Value>) {
            switch event {
            case .value(let value): events.withLock { $0.append(value) }
            case .failed: count.wrappingAdd(1, ordering: .relaxed)
            }
        }
        var values: [Value] { events.withLock { $0 } }
        var last: Value? { values.last }
        var failures: Int { count.load(ordering: .relaxed) }
    }

    // MARK: Services

    @Test func whatIsRegisteredIsFoundAndWhatIsDeregisteredIsNot() async throws {
        try await running { (client, consul, _) async throws in
            #expect(try await client.healthyInstances(of: "orders") == [])
            try await client.register(registration("orders-1"))
            try await client.register(registration("orders-2", port: 8_003))
            let found = try await client.healthyInstances(of: "orders")
            #expect(
                found == [
                    ServiceInstance(
                        id: "orders-1", service: "orders", address: "127.0.0.1", port: 8_002, tags: ["v1"],
                        meta: ["version": "1.0"]),
                    ServiceInstance(
                        id: "orders-2", service: "orders", address: "127.0.0.1", port: 8_003, tags: ["v1"],
                        meta: ["version": "1.0"]),
                ])
            #expect(found.map(\.url) == ["http://127.0.0.1:8002", "http://127.0.0.1:8003"])
            #expect(try await client.isRegistered("orders-1"))
            try await client.deregister("orders-1")
            #expect(try await !client.isRegistered("orders-1"))
            #expect(try await client.healthyInstances(of: "orders").map(\.id) == ["orders-2"])
            // Whoever is gone already may go again.
            try await client.deregister("orders-1")
        }
    }

    @Test func whoFailsItsCheckIsLeftOutUntilItRecovers() async throws {
        let isWell = Atomic<Bool>(true)
        let server = HTTPServer(configuration: .init(), group: Self.group) { _ in
            HTTPResponse(status: isWell.load(ordering: .relaxed) ? .ok : .serviceUnavailable)
        }
        try await server.start()
        try await running { (client, consul, _) async throws in
            var orders = registration("orders-1", port: server.port)
            orders.check = .init(url: "http://127.0.0.1:\(server.port)/health/ready")
            orders.check?.intervalSeconds = 1
            try await client.register(orders)
            #expect(try await client.healthyInstances(of: "orders").count == 1)
            isWell.store(false, ordering: .relaxed)
            #expect(try await eventually { try await client.healthyInstances(of: "orders").isEmpty })
            #expect(consul.status(of: "orders-1") == "critical")
            isWell.store(true, ordering: .relaxed)
            #expect(try await eventually { try await !client.healthyInstances(of: "orders").isEmpty })
        }
        await server.drain(timeoutSeconds: 0)
    }

    @Test func aWatchTellsOfWhoComesAndWhoLeaves() async throws {
        try await running { (client, _, capture) async throws in
            let told = Told<[ServiceInstance]>()
            let watch = client.watch(service: "orders") { told.note($0) }
            #expect(await eventually { told.last?.isEmpty == true })
            try await client.register(registration("orders-1"))
            #expect(await eventually { told.last?.map(\.id) == ["orders-1"] })
            try await client.register(registration("orders-2"))
            #expect(await eventually { told.last?.map(\.id) == ["orders-1", "orders-2"] })
            try await client.deregister("orders-1")
            #expect(await eventually { told.last?.map(\.id) == ["orders-2"] })
            await watch.stop()
            #expect(told.failures == 0)
            #expect(capture.value(#"consul_watch_updates_total{watch="service:orders"}"#) == Double(told.values.count))
        }
    }

    @Test func aWatchKeepsWhatItKnewWhileConsulIsGoneAndGoesOnAfterwards() async throws {
        try await running { (client, consul, capture) async throws in
            try await client.register(registration("orders-1"))
            let told = Told<[ServiceInstance]>()
            let watch = client.watch(service: "orders") { told.note($0) }
            #expect(await eventually { told.last?.count == 1 })
            await consul.goAway()
            #expect(await eventually { told.failures > 1 })
            #expect(told.last?.count == 1)
            try await consul.comeBack()
            try await client.register(registration("orders-2"))
            #expect(await eventually { told.last?.count == 2 })
            await watch.stop()
            #expect(capture.logLines.filter { $0.contains("consul.watch_lost") }.count == 1)
            #expect(capture.logLines.contains { $0.contains("consul.watch_restored") })
        }
    }

    @Test(arguments: [ConsulStandIn.Fault.failing, .garbage])
    func aWatchOutlastsAnAnswerOfNoUse(fault: ConsulStandIn.Fault) async throws {
        try await running { (client, consul, _) async throws in
            try await client.register(registration("orders-1"))
            let told = Told<[ServiceInstance]>()
            let watch = client.watch(service: "orders") { told.note($0) }
            #expect(await eventually { told.last?.count == 1 })
            consul.set(fault)
            #expect(await eventually { told.failures > 0 })
            consul.set(.none)
            try await client.register(registration("orders-2"))
            #expect(await eventually { told.last?.count == 2 })
            #expect(told.values.map(\.count) == [1, 2])
            await watch.stop()
        }
    }

    @Test func aWatchStartsOverWhenTheIndexGoesBackwards() async throws {
        try await running(waitSeconds: 1) { (client, consul, _) async throws in
            for number in 1...5 { try await client.register(registration("orders-\(number)")) }
            let told = Told<[ServiceInstance]>()
            let watch = client.watch(service: "orders") { told.note($0) }
            #expect(await eventually { told.last?.count == 5 })
            consul.resetIndexes()
            try await client.register(registration("orders-6"))
            #expect(await eventually { told.last?.count == 6 })
            await watch.stop()
        }
    }

    @Test func aWatchThatWaitsAsksSeldom() async throws {
        try await running { (client, consul, _) async throws in
            let told = Told<[ServiceInstance]>()
            let watch = client.watch(service: "orders") { told.note($0) }
            #expect(await eventually { told.values.count == 1 })
            #expect(await eventually { consul.requests.count == 2 })
            let second = try #require(consul.requests.last)
            #expect(second.contains("/v1/health/service/orders?passing&stale&index="))
            #expect(second.contains("&wait="))
            await watch.stop()
            #expect(consul.requests.count == 2)
        }
    }

    // MARK: Keys and values

    @Test func keysAreWrittenReadListedAndDeleted() async throws {
        try await running { (client, _, _) async throws in
            #expect(try await client.value("vitrine/a") == nil)
            #expect(try await client.put("vitrine/a", Array("eins".utf8), flags: 42))
            let bytes = (0...255).map { UInt8($0) }
            #expect(try await client.put("vitrine/b c/%ü", bytes))
            #expect(try await client.put("vitrine/empty", []))
            #expect(try await client.put("other", [1]))
            let entry = try #require(try await client.value("vitrine/a"))
            #expect(entry.text == "eins" && entry.flags == 42 && entry.modifyIndex > 0)
            #expect(try await client.value("vitrine/b c/%ü")?.value == bytes)
            #expect(try await client.value("vitrine/empty")?.value == [])
            let below = try await client.entries(below: "vitrine/")
            #expect(below.map(\.key) == ["vitrine/a", "vitrine/b c/%ü", "vitrine/empty"])
            #expect(try await client.delete("vitrine/a"))
            #expect(try await client.value("vitrine/a") == nil)
            try await client.deleteAll(below: "vitrine/")
            #expect(try await client.entries(below: "vitrine/") == [])
            #expect(try await client.value("other")?.value == [1])
        }
    }

    @Test func onlyWhoSawTheNewestValueMayReplaceIt() async throws {
        try await running { (client, _, _) async throws in
            #expect(try await client.put("k", [1], ifUnchangedSince: 0))
            #expect(try await !client.put("k", [2], ifUnchangedSince: 0))
            let seen = try #require(try await client.value("k")).modifyIndex
            #expect(try await client.put("k", [3], ifUnchangedSince: seen))
            #expect(try await !client.put("k", [4], ifUnchangedSince: seen))
            #expect(try await !client.delete("k", ifUnchangedSince: seen))
            #expect(try await client.value("k")?.value == [3])
            let newest = try #require(try await client.value("k")).modifyIndex
            #expect(try await client.delete("k", ifUnchangedSince: newest))
        }
    }

    @Test func aWatchOfAPrefixSeesPutsAndDeletesBelowItOnly() async throws {
        try await running { (client, _, _) async throws in
            let told = Told<[KeyValueEntry]>()
            let watch = client.watch(prefix: "vitrine/") { told.note($0) }
            #expect(await eventually { told.last?.isEmpty == true })
            _ = try await client.put("vitrine/a", [1])
            #expect(await eventually { told.last?.map(\.value) == [[1]] })
            _ = try await client.put("other", [9])
            _ = try await client.put("vitrine/a", [2])
            _ = try await client.put("vitrine/b", [3])
            #expect(await eventually { told.last?.map(\.value) == [[2], [3]] })
            _ = try await client.delete("vitrine/a")
            #expect(await eventually { told.last?.map(\.key) == ["vitrine/b"] })
            _ = try await client.delete("vitrine/b")
            #expect(await eventually { told.last?.isEmpty == true })
            await watch.stop()
            let states = told.values
            let changes = zip(states, states.dropFirst()).flatMap { KeyValueChange.between($0, $1) }
            #expect(changes.contains(.deleted(key: "vitrine/a")) && changes.contains(.deleted(key: "vitrine/b")))
            #expect(changes.contains { if case .set(let entry) = $0 { entry.value == [3] } else { false } })
        }
    }

    @Test func whatIsTooLargeIsNotSent() async throws {
        try await running { (client, consul, _) async throws in
            let value = [UInt8](repeating: 0, count: ConsulClient.maxValueBytes + 1)
            await #expect(throws: ConsulError.self) { _ = try await client.put("k", value) }
            await #expect(throws: ConsulError.self) { _ = try await client.put("", [1]) }
            await #expect(throws: ConsulError.self) { try await client.deleteAll(below: "") }
            #expect(consul.requests.isEmpty)
            #expect(try await client.put("k", Array(value.dropLast())))
            #expect(try await client.value("k")?.value.count == ConsulClient.maxValueBytes)
        }
    }

    // MARK: Tokens and failures

    @Test(arguments: [nil, "wrong"] as [String?])
    func withoutTheTokenNothingIsToldOrDone(given: String?) async throws {
        try await running(token: "right-token", as: given) { (client, consul, capture) async throws in
            for attempt in [
                { try await client.register(self.registration("orders-1")) },
                { _ = try await client.value("k") },
                { _ = try await client.isRegistered("orders-1") },
            ] as [@Sendable () async throws -> Void] {
                await #expect {
                    try await attempt()
                } throws: { if case .permissionDenied? = $0 as? ConsulError { true } else { false } }
            }
            #expect(consul.serviceIDs.isEmpty)
            #expect(capture.value(#"consul_requests_total{operation="kv.get",outcome="error"}"#) == 1)
        }
    }

    @Test func aListThatIsEmptyForWantOfAPermissionIsARefusal() async throws {
        let consul = try await ConsulStandIn(group: Self.group, token: "right-token")
        func client(_ token: String?) -> ConsulClient {
            var configuration = ConsulConfiguration(url: consul.url)
            configuration.token = token.map { Sensitive($0) }
            return ConsulClient(configuration: configuration, group: Self.group, telemetry: .disabled())
        }
        let known = client("right-token")
        let stranger = client(nil)
        try await known.register(registration("orders-1"))
        #expect(try await known.healthyInstances(of: "orders").count == 1)
        await #expect {
            _ = try await stranger.healthyInstances(of: "orders")
        } throws: { if case .permissionDenied? = $0 as? ConsulError { true } else { false } }
        await known.shutdown()
        await stranger.shutdown()
        await consul.stop()
    }

    @Test func theTokenAppearsInNoSpanLineOrError() async throws {
        try await running(token: "right-token", as: "right-token") { (client, consul, capture) async throws in
            _ = try await client.put("k", Array("a-value-of-mine".utf8))
            consul.set(.failing)
            await #expect(throws: ConsulError.self) { _ = try await client.value("k") }
            let told = Told<[KeyValueEntry]>()
            let watch = client.watch(prefix: "k") { told.note($0) }
            #expect(await eventually { told.failures > 0 })
            await watch.stop()
            let all = capture.logLines.joined() + capture.spans.map { "\($0)" }.joined()
            #expect(!all.contains("right-token") && !all.contains("a-value-of-mine"))
            var configuration = ConsulConfiguration(url: consul.url)
            configuration.token = Sensitive("right-token")
            var dumped = ""
            dump(configuration, to: &dumped)
            #expect(!dumped.contains("right-token") && !"\(configuration)".contains("right-token"))
        }
    }

    @Test func requestsHaveSpansAndMeasurementsAndBlockingQueriesHaveNot() async throws {
        try await running { (client, _, capture) async throws in
            _ = try await client.put("k", [1])
            let span = try #require(capture.spans(named: "PUT /v1/kv/{key}").first)
            #expect(span.kind == .client)
            let told = Told<[KeyValueEntry]>()
            let watch = client.watch(prefix: "k") { told.note($0) }
            #expect(await eventually { told.values.count == 1 })
            await watch.stop()
            #expect(capture.spans.count == 1)
            #expect(capture.value(#"consul_requests_total{operation="kv.watch",outcome="success"}"#) == 1)
            #expect(capture.value(#"consul_request_duration_seconds_count{operation="kv.put"}"#) == 1)
            #expect(capture.value(#"consul_request_duration_seconds_count{operation="kv.watch"}"#) == nil)
        }
    }

    @Test func nobodyThereIsAnErrorThatSaysWhatToCheck() async throws {
        let client = ConsulClient(
            configuration: ConsulConfiguration(url: "http://127.0.0.1:1"), group: Self.group, telemetry: .disabled())
        await #expect {
            _ = try await client.healthyInstances(of: "orders")
        } throws: { "\($0)".contains("CONSUL_HTTP_ADDR") && ($0 as? ConsulError)?.errorType == "connect_failed" }
        await client.shutdown()
    }

    @Test(
        arguments: [
            ("127.0.0.1:8500", false, "http://127.0.0.1:8500"), ("consul:8500", true, "https://consul:8500"),
            ("http://consul:8500", false, "http://consul:8500"), ("HTTPS://consul", false, "https://consul"),
            ("http://consul:8500", true, "https://consul:8500"), ("unix:///run/consul.sock", false, nil),
            ("", false, nil),
        ] as [(String, Bool, String?)])
    func addressesAreReadAsConsulsOwnToolsReadThem(address: String, isEncrypted: Bool, url: String?) {
        #expect(ConsulConfiguration.url(of: address, isEncrypted: isEncrypted) == url)
    }
}
