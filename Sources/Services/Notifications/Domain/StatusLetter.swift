internal import OrdersContracts

/// What a customer reads when an order moves on.
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
            case .created: "we have received your order and check stock and payment."
            case .processing: "your payment went through and your order is being prepared."
            case .shipping: "your order has left our warehouse."
            case .delivered: "your order has been delivered. Enjoy it!"
            case .cancelled: "your order was cancelled: \(reason(event.reason)). You have not been charged."
            }
        return """
            Hello,

            \(what)

            Order: \(event.orderID)
            Total: \(event.total)

            Your Vitrine
            """
    }

    private static func reason(_ code: String?) -> String {
        switch code {
        case "out_of_stock": "something in it is out of stock"
        case "payment_declined": "the payment was declined"
        case "timed_out": "it could not be processed in time"
        case "cancelled_by_customer": "as you asked"
        default: "by the shop"
        }
    }
}
