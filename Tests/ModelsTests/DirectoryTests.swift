import HTTPCodec
import Models
import PostgreSQL
import Security
import ServiceKit
import ServiceTesting
import Synchronization
import TelemetryTesting
import Testing
import Users
import UsersContracts
import Values
import Warehouse

@testable import Models
@testable import ServiceKit

/// Users, companies, groups and permissions as administrators know them, and as other services ask for them.
@Suite struct DirectoryTests {
    private static let admin = Person(roles: ["admin"], company: Person.alpha)
    private static let platform = Person(roles: ["admin"], company: nil)

    private func make(_ shop: Deployment, _ path: String, _ json: String, as person: Person = admin) async throws
        -> String
    {
        let reply = try await shop.send(.post, "/api/v1/\(path)", as: person, json: json, service: "users")
        try #require(reply.status == 201, "\(reply.text)")
        return try reply.rowID
    }

    private func makeUser(_ shop: Deployment, _ name: String) async throws -> Person {
        let id = try await make(
            shop, "users", #"{"username":"\#(name)","full_name":"Mira","email":"\#(name)@example.com"}"#)
        return Person(roles: ["user"], company: Person.alpha, subject: id)
    }

    @Test func whatGroupsMayDoIsKnownInOtherServicesUntilItIsTakenBack() async throws {
        try await Deployment.run([WarehouseService.definition, UsersService.definition]) { shop in
            let (clerk, other) = (try await makeUser(shop, "mira"), try await makeUser(shop, "ilya"))
            @Sendable func status(_ person: Person) async throws -> Int {
                try await shop.send(
                    .post, "/api/v1/locations", as: person,
                    json: #"{"code":"S\#(UInt64.random(in: 0 ... .max))","name":"Shelf"}"#
                ).status
            }
            #expect(try await status(clerk) == 403)
            let group = try await make(shop, "groups", #"{"code":"packers","name":"Packers"}"#)
            let permission = try await make(shop, "permissions", #"{"code":"warehouse.write"}"#)
            let granted = try await make(
                shop, "group-permissions", #"{"group_id":"\#(group)","permission_id":"\#(permission)"}"#)
            let member = #"{"group_id":"\#(group)","user_id":"\#(clerk.subject)"}"#
            let membership = try await make(shop, "group-members", member)
            #expect(
                try await shop.send(.post, "/api/v1/group-members", as: Self.admin, json: member, service: "users")
                    .status == 409)
            // The answer is kept for half a minute, but the event ends it sooner.
            #expect(try await eventually { try await status(clerk) == 201 })
            #expect(try await status(other) == 403)
            #expect(try await shop.get("/api/v1/locations", as: clerk).status == 403)

            #expect(
                try await shop.send(
                    .delete, "/api/v1/group-members/\(membership)", as: Self.admin, service: "users"
                ).status == 204)
            #expect(try await eventually { try await status(clerk) == 403 })
            _ = try await make(shop, "group-members", member)
            #expect(try await eventually { try await status(clerk) == 201 })
            #expect(
                try await shop.send(
                    .delete, "/api/v1/group-permissions/\(granted)", as: Self.admin, service: "users"
                ).status == 204)
            #expect(try await eventually { try await status(clerk) == 403 })
        }
    }

    @Test func companiesSeeTheirOwnDirectoryOnly() async throws {
        try await Deployment.run([UsersService.definition]) { shop in
            let mira = try await makeUser(shop, "mira")
            let group = try await make(shop, "groups", #"{"code":"packers","name":"Packers"}"#)
            for path in ["users/\(mira.subject)", "groups/\(group)"] {
                #expect(try await shop.get("/api/v1/\(path)", as: Self.admin).status == 200)
                #expect(try await shop.get("/api/v1/\(path)", as: .rival).status == 404)
                #expect(try await shop.send(.delete, "/api/v1/\(path)", as: .rival).status == 404)
            }
            let theft = #"{"group_id":"\#(group)","user_id":"\#(mira.subject)"}"#
            #expect(try await shop.send(.post, "/api/v1/group-members", as: .rival, json: theft).status == 422)
            #expect(
                try await shop.send(
                    .post, "/api/v1/users/\(mira.subject)/password", as: .rival, json: #"{"password":"Stolen123"}"#
                ).status == 404)
            #expect(
                try await shop.send(.post, "/api/v1/companies", as: .rival, json: #"{"code":"B","name":"B"}"#).status
                    == 403)
            #expect(try await shop.get("/api/v1/users", as: .clerk).status == 403)
            #expect(try await shop.get("/api/v1/users?username=mira", as: Self.admin).status == 422)
            let answer = try await shop.get("/api/v1/users/\(mira.subject)", as: Self.admin)
            #expect(!answer.text.contains("password"))
        }
    }

    @Test func whoAnAdministratorMakesLogsInWhenAPasswordIsSet() async throws {
        try await Deployment.run([UsersService.definition]) { shop in
            let mira = try await makeUser(shop, "mira")
            @Sendable func logIn() async throws -> Int {
                try await shop.send(
                    .post, "/api/users/login", as: nil,
                    json: #"{"email":"mira@example.com","password":"Correct1horse"}"#
                ).status
            }
            let path = "/api/v1/users/\(mira.subject)/password"
            #expect(try await logIn() == 401)
            #expect(try await shop.send(.post, path, as: Self.admin, json: #"{"password":"weak"}"#).status == 422)
            #expect(
                try await shop.send(.post, path, as: .manager, json: #"{"password":"Correct1horse"}"#).status == 403)
            #expect(
                try await shop.send(.post, path, as: Self.admin, json: #"{"password":"Correct1horse"}"#).status == 204)
            #expect(try await logIn() == 200)
            for body in [#"{"username":"a b"}"#, #"{"email":"nowhere"}"#, #"{"role":"superuser"}"#] {
                #expect(
                    try await shop.send(.patch, "/api/v1/users/\(mira.subject)", as: Self.admin, json: body).status
                        == 422)
            }
            let taken = try await shop.send(.post, "/api/v1/users", as: .rival, json: #"{"username":"MIRA"}"#)
            #expect(taken.status == 409)
        }
    }

    @Test func companiesAreActivatedByAWorker() async throws {
        try await Deployment.run([UsersService.definition]) { shop in
            let first = try await make(shop, "companies", #"{"code":"A","name":"Alpha"}"#, as: Self.platform)
            let second = try await make(shop, "companies", #"{"code":"B","name":"Beta"}"#, as: Self.platform)
            let path = "/api/v1/companies/\(first)/activate-wait?wait_timeout=30"
            @Sendable func company(_ id: String) async throws -> Reply {
                try await shop.get("/api/v1/companies/\(id)", as: Self.platform)
            }
            // On a very slow machine the deadline of the request comes first: 202.
            #expect([200, 202].contains(try await shop.send(.post, path, as: Self.platform).status))
            #expect(try await eventually { try await company(first).member("is_active").bool == true })
            let since = try await company(first).member("activated_at").string
            let again = try await shop.send(.post, path, as: Self.platform)
            #expect([200, 202].contains(again.status))
            #expect(try await company(first).member("activated_at").string == since)
            #expect(try await shop.send(.post, path, as: .rival).status == 404)
            #expect(try await shop.send(.post, path, as: .clerk).status == 403)
            #expect(try await shop.send(.post, path + "0000", as: Self.platform).status == 422)
            #expect(
                try await shop.send(.post, "/api/v1/companies/\(second)/activate", as: Self.platform).status == 202)
            #expect(try await eventually { try await company(second).member("is_active").bool == true })
        }
    }
}

/// What a service remembers of permissions.
@Suite struct PermissionDirectoryTests {
    private struct Down: Error {}

    /// A users service and a clock of the test's own.
    private final class World: Sendable {
        let state = Mutex((asked: 0, permissions: Set(["a"]), isDown: false, nanoseconds: UInt64(1)))
        var asked: Int { state.withLock { $0.asked } }

        func directory(_ before: @escaping @Sendable () async -> Void = {}) -> PermissionDirectory {
            PermissionDirectory(now: { self.state.withLock { $0.nanoseconds } }) { _ in
                let answer = try self.state.withLock { state throws(Down) in
                    state.asked += 1
                    if state.isDown { throw Down() }
                    return state.permissions
                }
                await before()
                return answer
            }
        }
    }

    @Test func anAnswerIsKeptUntilItsTimeIsUpOrItIsForgotten() async throws {
        let world = World()
        let directory = world.directory()
        for _ in 0..<5 {
            #expect(try await directory.has("a", "mira"))
            #expect(try await !directory.has("b", "mira"))
        }
        #expect(world.asked == 1)
        #expect(try await directory.has("a", "ilya"))
        #expect(world.asked == 2)
        world.state.withLock { $0.permissions = ["b"] }
        directory.forget("mira")
        #expect(try await directory.has("b", "mira"))
        #expect(try await directory.has("a", "ilya"))
        directory.forget(nil)
        #expect(try await !directory.has("a", "ilya"))
        #expect(world.asked == 4)
        world.state.withLock { state in
            state.nanoseconds += UInt64(PermissionDirectory.lifetimeMilliseconds) * 1_000_000
            state.isDown = true
        }
        await #expect(throws: Down.self) { try await directory.has("b", "mira") }
    }

    @Test func whatWasAskedBeforeAChangeIsNotKept() async throws {
        let world = World()
        let holder = Mutex<PermissionDirectory?>(nil)
        // The change is heard of while the answer is on its way.
        let directory = world.directory { holder.withLock { $0 }?.forget("mira") }
        holder.withLock { $0 = directory }
        #expect(try await directory.has("a", "mira"))
        holder.withLock { $0 = nil }
        world.state.withLock { $0.permissions = [] }
        #expect(try await !directory.has("a", "mira"))
        #expect(world.asked == 2)
    }

    @Test func aRoleSufficesWithoutAsking() async throws {
        let world = World()
        let directory = world.directory()
        guard case .permission(let grant) = directory.access("a", or: ["manager"]) else { return }
        try await grant.check(Identity(userID: "x", username: "x", roles: ["user", "manager"]))
        #expect(world.asked == 0)
        try await grant.check(Identity(userID: "x", username: "x", roles: ["user"]))
        #expect(world.asked == 1)
        await #expect(throws: HTTPError.self) { try await grant.check(nil) }
    }
}
