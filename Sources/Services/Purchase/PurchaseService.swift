internal import HTTPCodec
internal import Models
package import ServiceKit
internal import Values

/// Suppliers and what is ordered from them: three models, and the rules that bind them.
package enum PurchaseService {
    package static let definition = ServiceDefinition(
        name: "purchase", summary: "suppliers, purchase orders and their lines", port: 8007, database: "purchase_db",
        migrations: [
            Migration(1, "create_suppliers", PackageResources._001_create_suppliers_sql),
            Migration(2, "create_purchase_orders", PackageResources._002_create_purchase_orders_sql),
            Migration(3, "create_purchase_order_lines", PackageResources._003_create_purchase_order_lines_sql),
        ]
    ) { app in
        let staff = Access.roles(["admin", "manager", "superuser"])
        let models = Models(app)
        models.resource(Supplier.self, at: "/api/v1/suppliers", .reading(.user, writing: staff))

        let orders = models.resource(
            PurchaseOrder.self, at: "/api/v1/purchase-orders", .reading(.user, writing: staff)
        ) { orders in
            orders.hooks.beforeUpdate = { old, new, _ in
                if old.status == new.status { try old.requireDraft() }
            }
            orders.hooks.beforeDelete = { order, _ in try order.requireDraft() }
            orders.action("order", staff, "Sends a draft to its supplier") { order, _ in
                guard order.total > .zero else {
                    throw HTTPError.invalid(["body", "total"], "The order has nothing in it", type: "greater_than")
                }
                try order.move(to: .ordered, from: .draft)
            }
            orders.action("receive", staff, "The goods are here") { order, _ in
                try order.move(to: .received, from: .ordered)
            }
            orders.action("cancel", staff, "Gives the order up") { order, _ in
                try order.move(to: .cancelled, from: .draft, .ordered)
            }
        }

        // The order's total follows its lines, in the transaction that changes them.
        @Sendable func add(_ change: Money, to line: PurchaseOrderLine, _ context: HookContext) async throws {
            _ = try await orders.update(line.orderID, as: context.caller, in: context.transaction) { order in
                guard let total = order.total.adding(change) else {
                    throw HTTPError.invalid(
                        ["body", "price"], "The order's total is too large", type: "less_than_equal")
                }
                order.total = total
            }
        }
        models.resource(
            PurchaseOrderLine.self, at: "/api/v1/purchase-order-lines", .reading(.user, writing: staff)
        ) { lines in
            lines.hooks.afterCreate = { line, context in try await add(line.amount(), to: line, context) }
            lines.hooks.afterUpdate = { old, new, context in
                try await add(new.amount() - old.amount(), to: new, context)
            }
            lines.hooks.afterDelete = { line, context in try await add(.zero - line.amount(), to: line, context) }
        }
    }
}
