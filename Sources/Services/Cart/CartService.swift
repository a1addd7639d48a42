package import ServiceKit

/// What shoppers are about to buy.
package enum CartService {
    package static let definition = ServiceDefinition(
        name: "cart", summary: "carts in Redis; checks products and stock, checks out", port: 8001, usesRedis: true,
        telemetry: CartTelemetry.declarations
    ) { app in
        let routes = CartRoutes(
            store: CartStore(redis: app.redis), services: app.services, telemetry: CartTelemetry(app.telemetry))
        app.routes("/cart-api", errors: .detail, routes.declare)
    }
}
