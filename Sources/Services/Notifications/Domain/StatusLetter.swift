internal import OrdersContracts

/// What a customer reads when an order moves on. Nothing in it says who the customer is: the greeting comes when it is
/// sent.
enum StatusLetter {
    static func subject(_ event: OrderStatusChanged) -> String {
        switch event.status {
        case .created: "We have received your order"
        case .processing: "Your order is paid and being prepared"
        case .shipping: "Your order is on its way"
        case .delivered: "Your order has arrived"
        case .cancelled: "Your order was cancelled"
        }
    }

    static func text(_ event: OrderStatusChanged) -> String {
        let what =
            switch event.status {
            case .created: "we have received your order and are checking stock and payment."
            case .processing: "your payment went through and your order is being prepared."
            case .shipping: "your order has left our warehouse."
            case .delivered: "your order has been delivered. Enjoy it!"
            case .cancelled: "your order was cancelled: \(reason(event.reason))"
            }
        return """
            \(what)

            Order:  \(event.orderID)
            Status: \(event.status.rawValue)
            Total:  \(event.total)

            Your Vitrine
            """
    }

    /// The whole message.
    /// - Parameter name: the customer's; empty when it is not known.
    static func greeted(_ text: String, name: String) -> String {
        "Hello\(name.isEmpty ? "" : " " + name),\n\n" + text
    }

    private static func reason(_ code: String?) -> String {
        switch code {
        case "out_of_stock": "something in it is out of stock. You have not been charged."
        case "payment_declined", "limit_exceeded": "the payment was declined. You have not been charged."
        case "timed_out": "it could not be processed in time. You have not been charged."
        case "cancelled_by_customer", "cancelled": "as you asked. If you had paid already, your money is coming back."
        default: "by the shop. If you had paid already, your money is coming back."
        }
    }
}
