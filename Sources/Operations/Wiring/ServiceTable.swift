internal import Cart
internal import Catalog
internal import Gateway
internal import Notifications
internal import Orders
internal import Payments
internal import Processor
internal import Purchase
package import ServiceKit
internal import Users
internal import Warehouse

/// The wiring table: every service of the platform, in the order in which they start. The gateway is last, so that
/// it never takes a request that nobody can answer.
package enum ServiceTable {
    package static let all: [ServiceDefinition] = [
        UsersService.definition,
        CatalogService.definition,
        WarehouseService.definition,
        CartService.definition,
        OrdersService.definition,
        PaymentsService.definition,
        ProcessorService.definition,
        NotificationsService.definition,
        PurchaseService.definition,
        GatewayService.definition,
    ]
}
