internal import ServiceKit
package import Values

/// The provider holds the money.
package struct PaymentAuthorized: Event {
    package static let type = "payment.authorized"
    package var orderID: String
    package var paymentID: String
    package var amount: Money
    package var subject: String { orderID }

    package init(orderID: String, paymentID: String, amount: Money) {
        self.orderID = orderID
        self.paymentID = paymentID
        self.amount = amount
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case paymentID = "payment_id"
        case amount
    }
}

/// The provider refused.
package struct PaymentDeclined: Event {
    package static let type = "payment.declined"
    package var orderID: String
    /// A stable code: `limit_exceeded`.
    package var reason: String
    package var subject: String { orderID }

    package init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case reason
    }
}

/// The money was taken, let go, or given back.
package struct PaymentSettled: Codable, Sendable {
    package var orderID: String
    package var paymentID: String
    package var amount: Money

    package init(orderID: String, paymentID: String, amount: Money) {
        self.orderID = orderID
        self.paymentID = paymentID
        self.amount = amount
    }

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case paymentID = "payment_id"
        case amount
    }
}

package struct PaymentCaptured: Event {
    package static let type = "payment.captured"
    package var payment: PaymentSettled
    package var subject: String { payment.orderID }
    package init(_ payment: PaymentSettled) { self.payment = payment }
    package init(from decoder: any Decoder) throws { payment = try PaymentSettled(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try payment.encode(to: encoder) }
}

package struct PaymentVoided: Event {
    package static let type = "payment.voided"
    package var payment: PaymentSettled
    package var subject: String { payment.orderID }
    package init(_ payment: PaymentSettled) { self.payment = payment }
    package init(from decoder: any Decoder) throws { payment = try PaymentSettled(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try payment.encode(to: encoder) }
}

package struct PaymentRefunded: Event {
    package static let type = "payment.refunded"
    package var payment: PaymentSettled
    package var subject: String { payment.orderID }
    package init(_ payment: PaymentSettled) { self.payment = payment }
    package init(from decoder: any Decoder) throws { payment = try PaymentSettled(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try payment.encode(to: encoder) }
}

/// A payment as the API shows it.
package struct PaymentView: Codable, Sendable {
    package var id: String
    package var orderID: String
    package var amount: Money
    /// `AUTHORIZED`, `DECLINED`, `CAPTURED`, `VOIDED` or `REFUNDED`.
    package var status: String
    package var reason: String?

    package init(id: String, orderID: String, amount: Money, status: String, reason: String?) {
        self.id = id
        self.orderID = orderID
        self.amount = amount
        self.status = status
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case orderID = "order_id"
        case amount, status, reason
    }
}
