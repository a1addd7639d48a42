internal import OrdersContracts

/// Which way an order may go: CREATED → PROCESSING → SHIPPING → DELIVERED, or CANCELLED on the way.
enum OrderTransition {
    /// The next step of an order that goes well; nil at its end.
    static func next(after status: OrderStatus) -> OrderStatus? {
        switch status {
        case .created: .processing
        case .processing: .shipping
        case .shipping: .delivered
        case .delivered, .cancelled: nil
        }
    }

    /// Whether an administrator may set this status: forward only, never out of an end. Out of CREATED an order goes by
    /// its one outcome, or is cancelled: nothing leaves the house before stock and payment are certain.
    static func isAllowed(from status: OrderStatus, to target: OrderStatus) -> Bool {
        guard target != .cancelled else { return isCancellable(status) }
        guard status != .created, let position = rank(status), let wanted = rank(target) else { return false }
        return wanted > position
    }

    static func isCancellable(_ status: OrderStatus) -> Bool { status != .delivered && status != .cancelled }

    /// Nil for CANCELLED, which is beside the way.
    private static func rank(_ status: OrderStatus) -> Int? {
        switch status {
        case .created: 0
        case .processing: 1
        case .shipping: 2
        case .delivered: 3
        case .cancelled: nil
        }
    }
}
