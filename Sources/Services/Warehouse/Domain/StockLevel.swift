internal import Models
internal import Values

/// How much of a product there is in all, and how much of it orders have set aside. Only movements change it.
struct StockLevel: Model {
    var base = Base()
    var productID = ID.none
    var name = ""
    var onHand = 0
    var reserved = 0
    var available = 0
    var discontinuedAt: Timestamp?

    static let schema = Schema<StockLevel>("stock_levels") {
        Field("product_id", \.productID, .readOnly, about: "The product of the catalog.")
        Field("name", \.name, .text(), .readOnly, .searchable)
        Field("on_hand", \.onHand, .range(0...Int.max), .readOnly, about: "At all locations together.")
        Field("reserved", \.reserved, .range(0...Int.max), .readOnly, about: "Set aside for orders.")
        Field("available", \.available, .range(0...Int.max), .readOnly, about: "What an order can still set aside.")
        Field("discontinued_at", \.discontinuedAt, .readOnly, about: "When the product left the catalog.")
    }
}

/// How much of a product lies at one location. Their sum is what is on hand.
struct LocationLevel: Model {
    var base = Base()
    var locationID = ID.none
    var productID = ID.none
    var quantity = 0

    static let schema = Schema<LocationLevel>("location_levels") {
        Field("location_id", \.locationID, .references(Location.self), .readOnly)
        Field("product_id", \.productID, .readOnly, .indexed)
        Field("quantity", \.quantity, .range(0...Int.max), .readOnly)
    }
}

/// A change of what lies at one location: the journal that levels are the sums of.
struct StockMovement: Model {
    var base = Base()
    var operationID = ID.none
    var productID = ID.none
    var locationID = ID.none
    var quantity = 0
    var reason = MovementReason.initial
    var orderID: ID?

    static let schema = Schema<StockMovement>("stock_movements") {
        Field("operation_id", \.operationID, .references(Operation.self), .readOnly, about: "What explains it.")
        Field("product_id", \.productID, .readOnly, .indexed)
        Field("location_id", \.locationID, .references(Location.self), .readOnly)
        Field("quantity", \.quantity, .readOnly, about: "Below zero for what leaves.")
        Field("reason", \.reason, .readOnly)
        Field("order_id", \.orderID, .readOnly)
    }
}

/// Why what lies somewhere changed.
enum MovementReason: String, Choice {
    case initial, adjusted, sold, returned
    case received, moved, picked, counted
}

/// What is set aside for an order, as the API shows it.
struct OrderReservation: Model {
    var base = Base()
    var orderID = ID.none
    var state = ReservationState.reserved

    static let schema = Schema<OrderReservation>("reservations") {
        Field("order_id", \.orderID, .readOnly)
        Field("state", \.state, .readOnly, .indexed)
    }
}

extension ReservationState: Choice {}
