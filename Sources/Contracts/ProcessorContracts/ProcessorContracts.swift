internal import ServiceKit
package import Values

/// The one outcome of an order: everyone follows it.
package struct OrderProcessed: Event {
    package static let type = "order.processed"

    package enum Outcome: String, Codable, Sendable { case completed, failed }

    package var orderID: String
    package var status: Outcome
    /// A stable code when it failed: `payment_declined`, `out_of_stock`, `timed_out`, `cancelled`.
    package var errorMessage: String?
    package var userID: String?
    package var total: Money?
    package var subject: String { orderID }

    package init(orderID: String, status: Outcome, errorMessage: String?, userID: String?, total: Money?) {
        self.orderID = orderID
        self.status = status
        self.errorMessage = errorMessage
        self.userID = userID
        self.total = total
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case status
        case errorMessage = "error_message"
        case userID = "user_id"
        case total
    }
}
