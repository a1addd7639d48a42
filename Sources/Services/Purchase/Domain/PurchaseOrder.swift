internal import HTTPCodec
package import Models
internal import ServiceKit
package import Values

/// Goods ordered from one supplier. Its lines may change while it is a draft; its total always follows them.
package struct PurchaseOrder: Model {
    package enum Status: String, Choice {
        case draft, ordered
        case partlyReceived = "partly_received"
        case received, cancelled
    }

    package var base = Base()
    package var number = ""
    package var supplierID = ID.none
    package var status = Status.draft
    package var expectedAt: Timestamp?
    package var note: String?
    package var total = Money.zero
    package var outstanding = 0

    package init() {}

    package static let schema = Schema<PurchaseOrder>("purchase_orders") {
        Field("number", \.number, .code, .unique, .searchable)
        Field("supplier_id", \.supplierID, .references(Supplier.self))
        Field("status", \.status, .readOnly, .indexed)
        Field("expected_at", \.expectedAt, about: "When the goods should arrive.")
        Field("note", \.note, .text(0...2_000))
        Field("total", \.total, .readOnly, about: "What all lines cost.")
        Field("outstanding", \.outstanding, .range(0...Int.max), .readOnly, about: "Pieces that are still to come.")
    }

    /// Goes on to another state.
    /// - Throws: `HTTPError` 409 unless it is in one of these.
    mutating func move(to next: Status, from allowed: Status...) throws {
        guard allowed.contains(status) else {
            throw HTTPError(.conflict, "purchase_order.\(status.rawValue)", "The order is \(status.rawValue) already")
        }
        status = next
    }

    /// So many pieces have come.
    /// - Throws: `HTTPError` 409 unless they are expected.
    mutating func receive(_ quantity: Int) throws {
        try requireOpen()
        outstanding -= quantity
        status = outstanding == 0 ? .received : .partlyReceived
    }

    /// - Throws: `HTTPError` 409 unless goods are expected.
    func requireOpen() throws {
        guard status != .ordered, status != .partlyReceived else { return }
        throw HTTPError(
            .conflict, "purchase_order.\(status.rawValue)", "The order is \(status.rawValue): nothing is expected")
    }

    /// - Throws: `HTTPError` 409 when details differ that only a draft may change.
    func requireDraft(unlike new: PurchaseOrder) throws {
        let isSame =
            number == new.number && supplierID == new.supplierID && expectedAt == new.expectedAt && note == new.note
        if !isSame { try requireDraft() }
    }

    /// - Throws: `HTTPError` 409 unless lines and details may still change.
    func requireDraft() throws {
        guard status != .draft else { return }
        throw HTTPError(
            .conflict, "purchase_order.\(status.rawValue)", "The order is \(status.rawValue): only a draft changes")
    }
}
