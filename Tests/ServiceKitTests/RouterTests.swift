import Telemetry
import Testing

@testable import ServiceKit

@Suite struct RouterTests {
    private let instruments = HTTPInstruments(Telemetry.disabled())

    private func router(_ routes: [(MethodLabel, String)]) throws -> Router {
        try Router(
            routes: routes.map {
                Route(
                    method: $0, template: $1, access: .open, shape: .problem, handler: .immediate { _ in .empty() })
            },
            shapes: []
        ) { TemplateTelemetry(route: $0, instruments: instruments) }
    }

    @Test(arguments: [
        ("/order-api/orders/", "/order-api/orders/"),
        ("/order-api/orders", "/order-api/orders/"),
        ("/order-api/orders/?limit=3", "/order-api/orders/"),
        ("/order-api/orders/7f", "/order-api/orders/{id}"),
        ("/order-api/orders/7f/", "/order-api/orders/{id}"),
        ("/order-api/orders/statuses/list", "/order-api/orders/statuses/list"),
        ("/order-api/orders/7f/cancel", "/order-api/orders/{id}/cancel"),
        ("/order-api/orders/statuses/cancel", "/order-api/orders/{id}/cancel"),
        ("/", "/"),
        ("/?x=/order-api", "/"),
    ])
    func aTargetFindsItsTemplate(_ target: String, _ template: String) throws {
        let router = try router([
            (.get, "/"), (.get, "/order-api/orders/"), (.get, "/order-api/orders/{id}"),
            (.get, "/order-api/orders/statuses/list"), (.put, "/order-api/orders/{id}/cancel"),
        ])
        #expect(router.endpoint(of: target)?.template == template)
    }

    @Test(arguments: [
        "/order-api", "/order-api/orders//", "/order-api//orders", "//order-api/orders", "/order-api/orders/a/b/c",
        "*", "", "order-api/orders", "/ORDER-API/orders", "/order-api/orders/%FF", "/order-api/orders/a%00",
    ])
    func aTargetWithoutATemplateFindsNothing(_ target: String) throws {
        let router = try router([(.get, "/order-api/orders/"), (.get, "/order-api/orders/{id}")])
        #expect(router.endpoint(of: target) == nil)
    }

    @Test func methodsOfATemplateAreListedForAllow() throws {
        let router = try router([(.get, "/a"), (.delete, "/a")])
        let endpoint = try #require(router.endpoint(of: "/a"))
        #expect(endpoint.allow == "DELETE, GET, HEAD, OPTIONS")
        #expect(endpoint.routes[MethodLabel.head.rawValue]?.method == .get)
        #expect(endpoint.routes[MethodLabel.post.rawValue] == nil)
    }

    @Test func theSameRequestCannotHaveTwoRoutes() {
        #expect(throws: RouteConflict.self) { try router([(.get, "/a/{id}"), (.get, "/a/{name}/")]) }
        #expect(throws: Never.self) { try router([(.get, "/a/{id}"), (.put, "/a/{name}")]) }
    }
}
