import EventLoop
import HTTP
import HTTPCodec
import LocalStack
import Models
import PostgreSQL
import Security
import ServiceKit
import Synchronization
import ServiceTesting
import Telemetry
import Testing
import Values

@testable import Models

/// Two services share a model: one keeps it, the other asks for it over HTTP with the same calls.
@Suite struct RemoteTests {
    /// Offers gadgets through another service's manager, so that a test speaks to both.
    private struct Desk: Sendable {
        let gadgets: Manager<Gadget>
        let shelves: Manager<Shelf>
        let caller: Caller

        var service: RemoteService {
            get throws {
                guard case .remote(let manager) = shelves.home else { throw CancellationError() }
                return manager.service
            }
        }
    }

    private func withDesk(
        values: [String: String] = [:], services: [ServiceDefinition] = [Samples.service],
        _ body: (Desk, Deployment) async throws -> Void
    ) async throws {
        let managers = Mutex<(Manager<Gadget>, Manager<Shelf>)?>(nil)
        let desk = ServiceDefinition(
            name: "desk", summary: "asks the workshop", port: 0
        ) { app in
            let models = Models(app)
            let gadgets = models.remote(Gadget.self, service: "workshop", path: "/api/v1/gadgets")
            let shelves = models.remote(Shelf.self, service: "workshop", path: "/api/v1/shelves")
            managers.withLock { $0 = (gadgets, shelves) }
        }
        try await Deployment.run(services + [desk], values: values) { shop in
            let (gadgets, shelves) = try #require(managers.withLock { $0 })
            try await body(
                Desk(gadgets: gadgets, shelves: shelves, caller: try Caller(Person.manager.identity)), shop)
        }
    }

    private func gadget(_ code: String) -> Gadget {
        var gadget = Gadget()
        gadget.code = code
        gadget.name = "Orrery"
        gadget.count = 3
        gadget.price = Money(cents: 1250)
        gadget.notes = "brass, \"signed\"\n"
        gadget.makerID = ID.make()
        gadget.madeAt = Timestamp(microseconds: 1_700_000_000_123_456)
        gadget.pin = "4711"
        gadget.base.vars = JSONObject(#"{"bin": 7}"#) ?? .empty
        return gadget
    }

    @Test func theSameCallsDoTheSameHereAndThere() async throws {
        try await withDesk { (desk, shop) async throws in
            let created = try await desk.gadgets.create(gadget("G-1"), as: desk.caller)
            #expect(created.base.companyID?.description == Person.alpha)
            #expect(created.price == Money(cents: 1250))
            #expect(created.madeAt == Timestamp(microseconds: 1_700_000_000_123_456))
            #expect(created.notes == "brass, \"signed\"\n")
            #expect(created.pin == nil)
            let pin = try await shop.database("workshop").query("SELECT gadgets", "SELECT pin FROM gadgets").first
            #expect(try pin?.get("pin", as: String.self) == "4711")

            let read = try await desk.gadgets.get(created.base.id, as: desk.caller)
            #expect(read.base == created.base)
            let changed = try await desk.gadgets.update(created.base.id, as: desk.caller) { $0.count = 9 }
            #expect(changed.count == 9)
            #expect(changed.notes == created.notes)
            #expect(changed.base.vars == created.base.vars)
            // What was never given out was not overwritten.
            let kept = try await shop.database("workshop").query("SELECT gadgets", "SELECT pin FROM gadgets").first
            #expect(try kept?.get("pin", as: String.self) == "4711")

            for index in 2...5 { _ = try await desk.gadgets.create(gadget("G-\(index)"), as: desk.caller) }
            var query = ListQuery()
            query.limit = 2
            query.order(by: "code", descending: true)
            query.filter("code", .neq, "G-4")
            var codes: [String] = []
            repeat {
                let page = try await desk.gadgets.list(query, as: desk.caller)
                codes += page.items.map(\.code)
                query.cursor = page.nextCursor
            } while query.cursor != nil
            #expect(codes == ["G-5", "G-3", "G-2", "G-1"])

            try await desk.gadgets.delete(created.base.id, as: desk.caller)
            #expect(try await desk.gadgets.find(created.base.id, as: desk.caller) == nil)
        }
    }

    @Test func refusalsReadAsThoseOfALocalManager() async throws {
        try await withDesk { (desk, _) async throws in
            _ = try await desk.gadgets.create(gadget("G-1"), as: desk.caller)
            for (broken, status) in [(gadget("G-1"), 409), (gadget("no spaces"), 422)] {
                await #expect {
                    _ = try await desk.gadgets.create(broken, as: desk.caller)
                } throws: { ($0 as? HTTPError)?.status.code == status }
            }
            await #expect {
                _ = try await desk.gadgets.get(ID.make(), as: desk.caller)
            } throws: { ($0 as? HTTPError)?.status == .notFound }
            var query = ListQuery()
            query.filter("nonsense", .eq, "1")
            await #expect {
                _ = try await desk.gadgets.list(query, as: desk.caller)
            } throws: { ($0 as? HTTPError)?.status.code == 422 }
            // The caller's rights and company are the caller's there, too.
            let clerk = try Caller(Person.clerk.identity)
            await #expect {
                _ = try await desk.gadgets.create(gadget("G-2"), as: clerk)
            } throws: { ($0 as? ServiceCallError)?.status == .forbidden }
            let rival = try Caller(Person.rival.identity)
            #expect(try await desk.gadgets.list(as: rival).items.isEmpty)
        }
    }

    @Test func aSuperuserCrossesThereAsHere() async throws {
        try await withDesk { (desk, _) async throws in
            let created = try await desk.gadgets.create(gadget("G-1"), as: desk.caller)
            let identity = Person.superuser.identity
            #expect(try await desk.gadgets.find(created.base.id, as: Caller(identity)) == nil)
            let everywhere = try Caller(identity, crossingTo: .every)
            #expect(try await desk.gadgets.get(created.base.id, as: everywhere).code == "G-1")
            let there = try Caller(identity, crossingTo: .company(ID(Person.beta)))
            let row = try await desk.gadgets.create(gadget("G-1"), as: there)
            #expect(row.base.companyID?.description == Person.beta)
        }
    }

    @Test func changesFromBothSidesAreAllKept() async throws {
        try await withDesk { (desk, shop) async throws in
            let shelf = try await desk.gadgets.create(gadget("G-1"), as: desk.caller)
            let attempts = Mutex(0)
            let changed = try await desk.gadgets.update(shelf.base.id, as: desk.caller) { gadget in
                let isFirst = attempts.withLock { attempts in
                    attempts += 1
                    return attempts == 1
                }
                if isFirst {
                    _ = try await shop.send(
                        .patch, "/api/v1/gadgets/\(shelf.base.id)", json: #"{"count":100}"#, service: "workshop")
                }
                gadget.count += 1
            }
            #expect(attempts.withLock { $0 } == 2)
            #expect(changed.count == 101)
        }
    }

    @Test func aServiceThatIsGoneIsTriedAgainThenLeftAlone() async throws {
        let port = try closedPort()
        try await withDesk(values: ["WORKSHOP_URL": "http://127.0.0.1:\(port)"], services: []) {
            (desk, shop) async throws in
            for _ in 0..<5 {
                await #expect {
                    _ = try await desk.gadgets.find(ID.make(), as: desk.caller)
                } throws: { error in
                    guard let error = error as? ServiceCallError else { return false }
                    return error.service == "workshop" && error.status == nil && !error.message.isEmpty
                }
            }
            // The breaker is open: no call is made, by either of the service's models.
            await #expect {
                _ = try await desk.shelves.find(ID.make(), as: desk.caller)
            } throws: { ($0 as? ServiceCallError)?.status == .serviceUnavailable }
            let metrics = try await shop.send(.get, "/metrics", service: "desk").text
            #expect(metrics.contains(#"service_client_breaker_open{upstream="workshop"} 1"#), "\(metrics)")
            #expect(metrics.contains(#"service_client_refusals_total{upstream="workshop"} 1"#))
        }
    }

    @Test func whatIsBrokenForAMomentIsTriedAgain() async throws {
        let calls = Mutex(0)
        let flaky = ServiceDefinition(name: "workshop", summary: "answers every second time", port: 0) { app in
            app.routes("/api/v1/shelves") { routes in
                routes.get("/{id}", .user) { request in
                    let isOdd = calls.withLock { calls in
                        calls += 1
                        return calls % 2 == 1
                    }
                    if isOdd { throw HTTPError(.serviceUnavailable, "busy", "in a moment") }
                    return .json(
                        bytes: Array(
                            """
                            {"id":"\(request.parameter("id"))","lsn":1,"label":"A","vars":{},"company_id":null,\
                            "created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z","news":[1]}
                            """.utf8))
                }
                routes.get("", .user) { _ in .json(bytes: Array(#"{"items":[{"id":"x"}]}"#.utf8)) }
            }
        }
        try await withDesk(services: [flaky]) { (desk, _) async throws in
            let id = ID.make()
            for _ in 0..<3 { #expect(try await desk.shelves.get(id, as: desk.caller).label == "A") }
            #expect(calls.withLock { $0 } == 6)
            // An answer that is not the model is told as such.
            await #expect {
                _ = try await desk.shelves.list(as: desk.caller)
            } throws: { ($0 as? ServiceCallError)?.status == .badGateway }
        }
    }

    @Test func aSlowServiceIsGivenUpAtTheDeadline() async throws {
        let slow = ServiceDefinition(name: "workshop", summary: "answers late", port: 0) { app in
            app.routes("/api/v1/shelves") { routes in
                routes.get("/{id}", .user) { _ in
                    try await Task.sleep(nanoseconds: 30_000_000_000)
                    return .empty()
                }
            }
        }
        try await withDesk(services: [slow]) { (desk, _) async throws in
            let context = TelemetryContext(
                deadline: TelemetryClock.system.monotonicNanoseconds() + 300_000_000)
            await TelemetryContext.$current.withValue(context) {
                await #expect {
                    _ = try await desk.shelves.find(ID.make(), as: desk.caller)
                } throws: { ($0 as? ServiceCallError)?.status == nil }
            }
        }
    }

    @Test func rowsAreAskedForByTheNameOfTheirModel() async throws {
        let names = Mutex<[String]>([])
        let service = ServiceDefinition(
            name: "workshop", summary: "", port: 0, database: "workshop_db", migrations: Samples.migrations
        ) { app in
            let models = Models(app)
            models.resource(Shelf.self, at: "/api/v1/shelves", .reading(.user, writing: .user))
            app.routes("/by-name") { routes in
                routes.get("/{name}", .user) { request in
                    guard let manager = models.manager(named: request.parameter("name")) else {
                        throw HTTPError(.notFound, "unknown", "no such model")
                    }
                    let rows = try await manager.listJSON(ListQuery(), as: Caller(request.caller()))
                    names.withLock { $0 += rows.map { String(decoding: $0, as: UTF8.self) } }
                    return .empty()
                }
            }
        }
        try await Deployment.run([service]) { shop in
            let created = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"A"}"#)
            #expect(try await shop.get("/by-name/Shelf").status == 204)
            #expect(try await shop.get("/by-name/Nothing").status == 404)
            #expect(names.withLock { $0 } == [created.text])
        }
    }

    @Test func aSlowServiceHoldsOnlySoManyCalls() async throws {
        let gate = Mutex<(isOpen: Bool, waiting: Int)>((false, 0))
        let slow = ServiceDefinition(name: "workshop", summary: "answers when it may", port: 0) { app in
            app.routes("/api/v1/shelves") { routes in
                routes.get("/{id}", .user) { _ in
                    gate.withLock { $0.waiting += 1 }
                    while !gate.withLock({ $0.isOpen }) { try await Task.sleep(nanoseconds: 5_000_000) }
                    throw HTTPError(.notFound, "not_found", "there is nothing with this id")
                }
            }
        }
        let values = ["REQUEST_DEADLINE_MS": "300000"]
        try await withDesk(values: values, services: [slow]) { (desk, _) async throws in
            let service = try desk.service
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<RemoteService.maxCalls {
                    // On a very slow machine some are given up before the gate opens.
                    group.addTask { _ = try? await desk.shelves.find(ID.make(), as: desk.caller) }
                }
                // A call enters before it waits for anything: soon all of them are inside, and one more is refused.
                var refusal = ""
                for _ in 0..<12_000 where refusal.isEmpty {
                    try? await Task.sleep(nanoseconds: 5_000_000)
                    guard service.callsNow >= RemoteService.maxCalls else { continue }
                    do {
                        _ = try await desk.shelves.find(ID.make(), as: desk.caller)
                    } catch {
                        refusal = (error as? ServiceCallError)?.message ?? ""
                    }
                }
                #expect(refusal.hasPrefix("\(RemoteService.maxCalls) calls wait"))
                gate.withLock { $0.isOpen = true }
            }
            #expect(service.callsNow == 0)
        }
    }

    @Test func aDeletionWhoseAnswerWasLostHasHappened() async throws {
        let calls = Mutex(0)
        let flaky = ServiceDefinition(name: "workshop", summary: "loses its first answer", port: 0) { app in
            app.routes("/api/v1/shelves") { routes in
                routes.delete("/{id}", .user) { _ in
                    let isFirst = calls.withLock { calls in
                        calls += 1
                        return calls == 1
                    }
                    if isFirst { throw HTTPError(.serviceUnavailable, "busy", "done, but who knows") }
                    throw HTTPError(.notFound, "not_found", "there is nothing with this id")
                }
            }
        }
        try await withDesk(services: [flaky]) { (desk, _) async throws in
            try await desk.shelves.delete(ID.make(), as: desk.caller)
            #expect(calls.withLock { $0 } == 2)
            // Nothing was ever there.
            await #expect {
                try await desk.shelves.delete(ID.make(), as: desk.caller)
            } throws: { ($0 as? HTTPError)?.status == .notFound }
        }
    }

    @Test func aChangeThatCannotBeSentIsToldNotLost() async throws {
        try await withDesk { (desk, _) async throws in
            let created = try await desk.gadgets.create(gadget("G-1"), as: desk.caller)
            await #expect {
                _ = try await desk.gadgets.update(created.base.id, as: desk.caller) { $0.checks = 5 }
            } throws: { error in
                guard let error = error as? HTTPError else { return false }
                return error.status == .unprocessableContent && error.fields.first?.location == ["body", "checks"]
            }
            #expect(try await desk.gadgets.get(created.base.id, as: desk.caller).checks == 0)
        }
    }

    private func closedPort() throws -> Int { try Ports.free() }
}
