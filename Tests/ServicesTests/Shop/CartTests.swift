import Cart
import ServiceTesting
import Testing

@Suite struct CartTests {
    /// Carts belong to users, not to companies: a company's administrator would see everybody's.
    @Test func everybodysCartsAreForThePlatformsOwnAdministrators() async throws {
        try await Deployment.run([CartService.definition]) { (deployment: Deployment) async throws in
            func list(_ person: Person) async throws -> Int {
                try await deployment.get("/cart-api/carts/", as: person).status
            }
            #expect(try await list(Person(roles: ["admin"], company: nil)) == 200)
            #expect(try await list(.rival) == 403)
            #expect(try await list(.clerk) == 403)
        }
    }
}
