internal import HTTPCodec
internal import Models
internal import PostgreSQL
package import ServiceKit
internal import UsersContracts
internal import Values

/// Suppliers, what is ordered from them and what has come of it: four models, and the rules that bind them.
package enum PurchaseService {
    package static let definition = ServiceDefinition(
        name: "purchase", summary: "suppliers, purchase orders, what is received", port: 8007, database: "purchase_db",
        usesBroker: true,
        migrations: [
            Migration(1, "create_suppliers", PackageResources._001_create_suppliers_sql),
            Migration(2, "create_purchase_orders", PackageResources._002_create_purchase_orders_sql),
            Migration(3, "create_purchase_order_lines", PackageResources._003_create_purchase_order_lines_sql),
            Migration(4, "create_purchase_receipts", PackageResources._004_create_purchase_receipts_sql),
        ],
        consumes: [.to(PermissionsChanged.self)],
        tasks: [PurchaseOrder.recount.declaration]
    ) { app in
        let staff = PermissionDirectory.ofUsers(app).access("purchase.write", or: ["admin", "manager", "superuser"])
        let models = Models(app)
        models.resource(Supplier.self, at: "/api/v1/suppliers", .reading(.user, writing: staff))

        let orders = models.resource(
            PurchaseOrder.self, at: "/api/v1/purchase-orders", .reading(.user, writing: staff)
        ) { orders in
            orders.hooks.beforeUpdate = { old, new, _ in try old.requireDraft(unlike: new) }
            orders.hooks.beforeDelete = { order, _ in try order.requireDraft() }
            orders.action("order", staff, "Sends a draft to its supplier") { order, _ in
                guard order.total > .zero else {
                    throw HTTPError.invalid(["body", "total"], "The order has nothing in it", type: "greater_than")
                }
                try order.move(to: .ordered, from: .draft)
            }
            orders.action("receive", staff, "Everything that was still to come is here") { order, context in
                try await Receiving.takeRest(
                    of: order, models.manager(PurchaseOrderLine.self), models.manager(PurchaseReceipt.self), context)
                order = try await models.manager(PurchaseOrder.self).get(
                    order.base.id, as: context.caller, in: context.transaction)
            }
            orders.action("cancel", staff, "Gives the order up, of which nothing has come") { order, _ in
                try order.move(to: .cancelled, from: .draft, .ordered)
            }
            orders.task(PurchaseOrder.recount, staff, "Adds the lines up anew, however many there are") {
                order, context in
                try order.requireDraft()
                try await order.recount(in: context.transaction)
            }
        }

        // The order's sums follow its lines, in the transaction that changes them.
        @Sendable func add(
            _ amount: Money, _ pieces: Int, to line: PurchaseOrderLine, _ context: HookContext
        ) async throws {
            _ = try await orders.update(line.orderID, as: context.caller, in: context.transaction) { order in
                try order.requireDraft()
                guard let total = order.total.adding(amount) else {
                    throw HTTPError.invalid(
                        ["body", "price"], "The order's total is too large", type: "less_than_equal")
                }
                order.total = total
                order.outstanding += pieces
            }
        }
        let lines = models.resource(
            PurchaseOrderLine.self, at: "/api/v1/purchase-order-lines", .reading(.user, writing: staff)
        ) { lines in
            lines.hooks.afterCreate = { line, context in try await add(line.amount(), line.quantity, to: line, context)
            }
            lines.hooks.afterUpdate = { old, new, context in
                guard old.received == new.received else { return }
                try await add(new.amount() - old.amount(), new.quantity - old.quantity, to: new, context)
            }
            lines.hooks.afterDelete = { line, context in
                try await add(.zero - line.amount(), -line.quantity, to: line, context)
            }
        }

        let receiving = Receiving(orders: orders, lines: lines, outbox: app.outbox)
        models.resource(
            PurchaseReceipt.self, at: "/api/v1/purchase-receipts", Permissions(list: .user, get: .user, create: staff)
        ) { receipts in
            receipts.hooks.beforeCreate = { receipt, context in try await receiving.take(&receipt, context) }
            receipts.hooks.afterCreate = { receipt, context in try await receiving.tell(receipt, context) }
        }
    }
}
