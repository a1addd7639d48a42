import CartContracts
import CatalogContracts
import HTTPCodec
import OrdersContracts
import PaymentsContracts
import PostgreSQL
import ProcessorContracts
import ServiceTesting
import ServiceKit
import TelemetryTesting
import Testing
import Values
import WarehouseContracts

@testable import Catalog
@testable import Orders
@testable import Payments
@testable import Processor

/// Orders from the cart to their end, through all six services on real servers: whatever happens, an order has one
/// outcome, money is taken once or not at all, and stock is neither lost nor invented.
@Suite(.serialized) struct OrderJourneyTests {
    // MARK: The four ways an order may end

    @Test(.timeLimit(.minutes(2)))
    func anOrderIsPaidBookedOutAndDelivered() async throws {
        let quick = ["ORDERS_SHIP_AFTER_MILLISECONDS": "50", "ORDERS_DELIVER_AFTER_MILLISECONDS": "50"]
        try await ShopFloor.run(values: quick) { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            let added = try await floor.send(
                "cart", .post, "/cart-api/cart/items", as: shopper,
                json: #"{"product_id":"\#(kettle.productID)","quantity":3}"#)
            #expect(added.status == 200)
            let order: OrderView = try await floor.send(
                "cart", .post, "/cart-api/cart/checkout", as: shopper
            ).decode()
            #expect(order.total == Money(cents: 5_970))
            #expect(order.userID == shopper.id)
            let cart: CartView = try await floor.send("cart", .get, "/cart-api/cart/", as: shopper).decode()
            #expect(cart.items.isEmpty)

            #expect(try await floor.reaches(order.id, .delivered))
            #expect(try await eventually { try await floor.payment(order.id)?.status == "CAPTURED" })
            #expect(try await eventually { try await floor.stock(kettle).onHand == 7 })
            #expect(try await floor.stock(kettle).reserved == 0)
            #expect(try await floor.charged(order.id) == 5_970)
            #expect(try await floor.held(order.id) == 0)
            #expect(try await floor.unbalancedProducts() == 0)

            // What is told of it agrees with what happened.
            let orders = try floor.capture("orders")
            #expect(orders.value("orders_created_total") == 1)
            for status in ["CREATED", "PROCESSING", "SHIPPING", "DELIVERED"] {
                #expect(orders.value(#"orders_status_total{status="\#(status)"}"#) == 1)
            }
            #expect(orders.value("order_delivery_duration_seconds_count") == 1)
            #expect(
                try floor.capture("processor").value(#"saga_outcomes_total{outcome="completed",reason=""}"#) == 1)
            for (service, event) in [
                ("orders", OrdersTelemetry.changed), ("processor", ProcessorTelemetry.decided),
                ("payments", PaymentsTelemetry.moved),
            ] {
                let lines = try floor.capture(service).logLines(event: event)
                #expect(!lines.isEmpty)
                #expect(lines.allSatisfy { $0.contains(order.id) && !$0.contains("mira") })
            }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func aDeclinedPaymentSetsTheStockFree() async throws {
        try await ShopFloor.run { floor in
            let crown = try await floor.product("6000.00", stock: 5)
            let order: OrderView = try await floor.place(crown, 2, as: ShopFloor.person()).decode()
            #expect(try await floor.reaches(order.id, .cancelled))
            #expect(try await floor.payment(order.id)?.reason == "limit_exceeded")
            #expect(try await eventually { try await floor.stock(crown).reserved == 0 })
            #expect(try await floor.stock(crown).onHand == 5)
            #expect(try await floor.charged(order.id) == 0)
            #expect(
                try floor.capture("processor").value(
                    #"saga_outcomes_total{outcome="failed",reason="payment_declined"}"#) == 1)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func missingStockLetsTheMoneyGo() async throws {
        try await ShopFloor.run { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 1)
            let refused = try await floor.send(
                "cart", .post, "/cart-api/cart/items", as: shopper,
                json: #"{"product_id":"\#(kettle.productID)","quantity":2}"#)
            #expect(refused.status == 400)

            let order: OrderView = try await floor.place(kettle, 2, as: shopper).decode()
            #expect(try await floor.reaches(order.id, .cancelled))
            #expect(try await eventually { try await floor.payment(order.id)?.status == "VOIDED" })
            #expect(try await floor.held(order.id) == 0)
            #expect(try await floor.charged(order.id) == 0)
            let level = try await floor.stock(kettle)
            #expect(level.onHand == 1 && level.reserved == 0)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func silenceOfTheWarehouseEndsAtTheDeadline() async throws {
        let services = ShopFloor.all.filter { $0.name != "warehouse" && $0.name != "cart" }
        try await ShopFloor.run(services, values: ["PROCESSOR_SAGA_TIMEOUT_MILLISECONDS": "300"]) { floor in
            let kettle = try await floor.product("19.90", stock: 1)
            let order: OrderView = try await floor.place(kettle, 1, as: ShopFloor.person()).decode()
            #expect(try await floor.reaches(order.id, .cancelled))
            #expect(try await eventually { try await floor.payment(order.id)?.status == "VOIDED" })
            // The answer comes at last: nobody listens.
            try await floor.tell("processor", StockReserved(orderID: order.id))
            #expect(try await Self.outcomes(of: order.id, floor) == 1)
            #expect(try floor.capture("processor").logLines(event: ProcessorTelemetry.ignored).count == 1)
            #expect(
                try floor.capture("processor").value(#"saga_outcomes_total{outcome="failed",reason="timed_out"}"#)
                    == 1)
        }
    }

    // MARK: Cancelling

    @Test(.timeLimit(.minutes(2)))
    func aPaidOrderThatIsCancelledGivesMoneyAndGoodsBackOnce() async throws {
        try await ShopFloor.run { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("19.90", stock: 10)
            let order: OrderView = try await floor.place(kettle, 4, as: shopper).decode()
            #expect(try await eventually { try await floor.payment(order.id)?.status == "CAPTURED" })
            #expect(try await eventually { try await floor.stock(kettle).onHand == 6 })
            #expect(try await floor.reaches(order.id, .processing))

            let path = "/order-api/orders/\(order.id)/cancel"
            #expect(try await floor.send("orders", .put, path, as: ShopFloor.person()).status == 403)
            let cancelled: OrderView = try await floor.send("orders", .put, path, as: shopper).decode()
            #expect(cancelled.status == .cancelled)
            #expect(try await floor.order(order.id).updatedAt == cancelled.updatedAt)
            #expect(try await floor.send("orders", .put, path, as: shopper).status == 400)

            #expect(try await eventually { try await floor.payment(order.id)?.status == "REFUNDED" })
            #expect(try await eventually { try await floor.stock(kettle).onHand == 10 })
            // The same news again moves nothing.
            let again = OrderCancelled(orderID: order.id, userID: shopper.id, total: order.total, reason: "again")
            for service in ["payments", "warehouse", "processor"] { try await floor.tell(service, again, times: 2) }
            #expect(try await floor.charged(order.id) == 0)
            #expect(try await floor.stock(kettle).onHand == 10)
            #expect(try await floor.unbalancedProducts() == 0)
            #expect(try await Self.outcomes(of: order.id, floor) == 1)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func cancellingAtAnyMomentLeavesNothingBehind() async throws {
        try await ShopFloor.run { floor in
            let shopper = ShopFloor.person()
            let kettle = try await floor.product("10.00", stock: 100)
            var orders: [OrderView] = []
            for number in 0..<12 {
                let order: OrderView = try await floor.place(kettle, 2, as: shopper).decode()
                orders.append(order)
                try await Task.sleep(nanoseconds: UInt64(number) * 8_000_000)
                let path = "/order-api/orders/\(order.id)/cancel"
                #expect(try await floor.send("orders", .put, path, as: shopper).status == 200)
            }
            for order in orders {
                #expect(
                    try await eventually {
                        guard let status = try await floor.payment(order.id)?.status else { return false }
                        return status == "VOIDED" || status == "REFUNDED"
                    })
                #expect(try await floor.charged(order.id) == 0)
                #expect(try await floor.held(order.id) == 0)
                #expect(try await floor.order(order.id).status == .cancelled)
                #expect(try await eventually { try await Self.outcomes(of: order.id, floor) == 1 })
            }
            #expect(
                try await eventually {
                    let level = try await floor.stock(kettle)
                    return level.onHand == 100 && level.reserved == 0
                })
            #expect(try await floor.unbalancedProducts() == 0)
        }
    }

    // MARK: Events in any order

    @Test(.timeLimit(.minutes(2)))
    func anEndThatIsHeardOfBeforeTheOrderKeepsItFromBeingChargedOrReserved() async throws {
        try await ShopFloor.run(ShopFloor.all.filter { $0.name != "orders" && $0.name != "cart" }) { floor in
            let kettle = try await floor.product("10.00", stock: 5)
            let order = OrderCreated(
                orderID: Identifier.make(), userID: Identifier.make(),
                items: [OrderItem(productID: kettle.productID, name: "Kettle", price: kettle.price, quantity: 2)],
                total: Money(cents: 2_000), createdAt: .now())
            let cancelled = OrderCancelled(
                orderID: order.orderID, userID: order.userID, total: order.total, reason: "cancelled_by_customer")
            for service in ["payments", "warehouse", "processor"] { try await floor.tell(service, cancelled, times: 3) }
            for service in ["payments", "warehouse", "processor"] { try await floor.tell(service, order, times: 3) }
            #expect(try await floor.held(order.orderID) == 0)
            #expect(try await floor.charged(order.orderID) == 0)
            #expect(try await floor.stock(kettle).reserved == 0)
            #expect(try await Self.outcomes(of: order.orderID, floor) == 1)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func answersBeforeTheOrderAndAnswersTwiceMakeOneOutcome() async throws {
        try await ShopFloor.run([ProcessorService.definition]) { floor in
            let id = Identifier.make()
            for _ in 0..<3 {
                try await floor.tell("processor", StockReserved(orderID: id), times: 2)
                try await floor.tell(
                    "processor", PaymentAuthorized(orderID: id, paymentID: "p", amount: Money(cents: 500)), times: 2)
            }
            #expect(try await Self.outcomes(of: id, floor) == 0)
            let company = Identifier.make()
            for _ in 0..<2 {
                try await floor.tell(
                    "processor",
                    OrderCreated(
                        orderID: id, userID: "u", items: [], total: Money(cents: 500), createdAt: .now(),
                        companyID: company), times: 2)
            }
            #expect(try await Self.outcomes(of: id, floor) == 1)
            #expect(
                try await floor.number(
                    "processor",
                    """
                    SELECT count(*) AS n FROM processing_records
                    WHERE order_id = \(id)::uuid AND state = 'COMPLETED' AND company_id = \(company)::uuid
                    """) == 1)
            #expect(try floor.capture("processor").value("saga_duration_seconds_count{outcome=\"completed\"}") == 1)
        }
    }

    // MARK: Cut off between the provider and the commit

    @Test(.timeLimit(.minutes(2)))
    func moneyThatACutOffAttemptHeldIsLetGoWhenTheOrderIsOver() async throws {
        try await ShopFloor.run([PaymentsService.definition]) { floor in
            let id = Identifier.make()
            try await Self.provider(floor, id, "authorize")
            #expect(try await floor.held(id) == 2_000)
            try await floor.tell(
                "payments", OrderProcessed(orderID: id, status: .failed, errorMessage: "x", userID: nil, total: nil))
            #expect(try await floor.held(id) == 0)
            // The message of the attempt is delivered again.
            try await floor.tell("payments", Self.order(id))
            #expect(try await floor.held(id) == 0)
            #expect(try await floor.charged(id) == 0)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func moneyThatACutOffAttemptTookIsGivenBackWhenTheOrderIsCancelled() async throws {
        try await ShopFloor.run([PaymentsService.definition]) { floor in
            let id = Identifier.make()
            try await floor.tell("payments", Self.order(id))
            try await Self.provider(floor, id, "capture")
            try await floor.tell(
                "payments", OrderCancelled(orderID: id, userID: "u", total: Money(cents: 2_000), reason: "x"))
            #expect(try await floor.payment(id)?.status == "REFUNDED")
            #expect(try await floor.charged(id) == 0)
            try await floor.tell(
                "payments", OrderProcessed(orderID: id, status: .completed, errorMessage: nil, userID: nil, total: nil))
            #expect(try await floor.charged(id) == 0)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func moneyThatACutOffAttemptLetGoIsNotTaken() async throws {
        try await ShopFloor.run([PaymentsService.definition]) { floor in
            let id = Identifier.make()
            try await floor.tell("payments", Self.order(id))
            try await Self.provider(floor, id, "void")
            try await floor.tell(
                "payments", OrderProcessed(orderID: id, status: .completed, errorMessage: nil, userID: nil, total: nil))
            #expect(try await floor.payment(id)?.status == "VOIDED")
            #expect(try await floor.charged(id) == 0)
        }
    }

    private static func order(_ id: String) -> OrderCreated {
        OrderCreated(orderID: id, userID: "u", items: [], total: Money(cents: 2_000), createdAt: .now())
    }

    /// What the provider did for an attempt that never came to its commit.
    private static func provider(_ floor: ShopFloor, _ orderID: String, _ operation: String) async throws {
        _ = try await floor.number(
            "payments",
            """
            INSERT INTO provider_ledger (id, order_id, operation, amount, accepted)
            VALUES (\(Identifier.make())::uuid, \(orderID)::uuid, \(operation), 20.00, true) RETURNING 1 AS n
            """)
    }

    /// How often the processor told everyone the outcome of an order.
    private static func outcomes(of orderID: String, _ floor: ShopFloor) async throws -> Int {
        try await floor.number(
            "processor",
            "SELECT count(*) AS n FROM outbox WHERE type = 'order.processed' AND subject = \(orderID)")
    }
}
