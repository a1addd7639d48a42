internal import HTTPCodec
package import Models
internal import ServiceKit
package import Values

/// Goods ordered from one supplier. Its lines may change while it is a draft; its total always follows them.
package struct PurchaseOrder: Model {
    package enum Status: String, Choice { case draft, ordered, received, cancelled }

    package var base = Base()
    package var number = ""
    package var supplierID = ID.none
    package var status = Status.draft
    package var expectedAt: Timestamp?
    package var note: String?
    package var total = Money.zero

    package init() {}

    package static let schema = Schema<PurchaseOrder>("purchase_orders") {
        Field("number", \.number, .code, .unique, .searchable)
        Field("supplier_id", \.supplierID, .references(Supplier.self))
        Field("status", \.status, .readOnly, .indexed)
        Field("expected_at", \.expectedAt, about: "When the goods should arrive.")
        Field("note", \.note, .text(0...2_000))
        Field("total", \.total, .readOnly, about: "What all lines cost.")
    }

    /// Goes on to another state.
    /// - Throws: `HTTPError` 409 unless it is in one of these.
    mutating func move(to next: Status, from allowed: Status...) throws {
        guard allowed.contains(status) else {
            throw HTTPError(.conflict, "purchase_order.\(status.rawValue)", "The order is \(status.rawValue) already")
        }
        status = next
    }

    /// - Throws: `HTTPError` 409 unless lines and details may still change.
    func requireDraft() throws {
        guard status != .draft else { return }
        throw HTTPError(
            .conflict, "purchase_order.\(status.rawValue)", "The order is \(status.rawValue): only a draft changes")
    }
}
