import CatalogContracts
import HTTPCodec
import PostgreSQL
import ServiceKit
import ServiceTesting
import TelemetryTesting
import Testing
import Values

@testable import Catalog

/// What the catalog keeps in Redis, and that nobody is shown what was changed, or what is another company's.
@Suite(.serialized) struct CatalogRoutesTests {
    private static let services = ShopFloor.all.filter { $0.name == "catalog" }
    private static let body = #"{"name":"Kettle","category":"Kitchen","price":24.90,"stock_count":10}"#

    private func requests(_ floor: ShopFloor, _ cache: String, _ outcome: String) throws -> Double {
        try floor.capture("catalog").value(
            #"cache_requests_total{cache="catalog.\#(cache)",outcome="\#(outcome)"}"#) ?? 0
    }

    @Test(.timeLimit(.minutes(2)))
    func listsAndProductsAreKeptUntilTheyChange() async throws {
        try await ShopFloor.run(Self.services) { (floor) async throws in
            let kettle = try await floor.product("19.90", stock: 10)
            let shopper = ShopFloor.person()
            let path = "/api/products/\(kettle.productID)"
            let list = "/api/products/?category=Kitchen"
            for _ in 0..<2 {
                let reply = try await floor.send("catalog", .get, path, as: shopper)
                #expect(try reply.decode(ProductView.self) == kettle)
                #expect(try await floor.send("catalog", .get, list, as: shopper).status == 200)
            }
            #expect(try requests(floor, "products", "hit") == 1)
            #expect(try requests(floor, "lists", "hit") == 1)

            let update = Self.body
            #expect(try await floor.send("catalog", .put, path, as: ShopFloor.admin, json: update).status == 200)
            let changed: ProductView = try await floor.send("catalog", .get, path, as: shopper).decode()
            #expect(changed.price == Money(cents: 2_490))
            // Written through: nothing was loaded for it.
            #expect(try requests(floor, "products", "hit") == 2)
            let page: ProductPage = try await floor.send("catalog", .get, list, as: shopper).decode()
            #expect(page.items.map(\.price) == [Money(cents: 2_490)])

            #expect(try await floor.send("catalog", .delete, path, as: ShopFloor.admin).status == 204)
            #expect(try await floor.send("catalog", .get, path, as: shopper).status == 404)
            let empty: ProductPage = try await floor.send("catalog", .get, list, as: shopper).decode()
            #expect(empty.items.isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func whatIsKeptForOneCompanyIsNotShownToAnother() async throws {
        try await ShopFloor.run(Self.services) { (floor) async throws in
            let companies = [Identifier.make(), Identifier.make()]
            let admin = ShopFloor.person(["admin"], company: companies[0])
            let created = try await floor.send("catalog", .post, "/api/products/", as: admin, json: Self.body)
            let path = "/api/products/\(try created.decode(ProductView.self).productID)"
            for _ in 0..<2 {
                for (company, status, count) in [(companies[0], 200, 1), (companies[1], 404, 0)] {
                    let person = ShopFloor.person(company: company)
                    #expect(try await floor.send("catalog", .get, path, as: person).status == status)
                    let list = try await floor.send("catalog", .get, "/api/products/?category=Kitchen", as: person)
                    #expect(try list.decode(ProductPage.self).items.count == count)
                }
                #expect(try await floor.send("catalog", .get, path, as: ShopFloor.person()).status == 404)
            }
        }
    }
}
