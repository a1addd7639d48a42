internal import HTTPCodec
package import Models
internal import ServiceKit
package import Values

/// Work on the stock as a document with lines: a draft changes nothing; what is done has moved stock, once, and stays as
/// it is. What orders, the catalog and purchases do to the stock is written down as operations, too.
package struct Operation: Model {
    package enum Kind: String, Choice { case receive, move, pick, count }
    package enum State: String, Choice { case draft, done, cancelled }

    package var base = Base()
    package var number = ""
    package var kind = Kind.receive
    package var state = State.draft
    package var sourceID: ID?
    package var note: String?
    package var completedAt: Timestamp?

    package init() {}

    package static let schema = Schema<Operation>("operations") {
        Field("number", \.number, .code, .unique, .searchable)
        Field("kind", \.kind, .createOnly, .indexed)
        Field("state", \.state, .readOnly, .indexed)
        Field(
            "source_id", \.sourceID, .readOnly, .indexed, about: "The order or the purchase receipt that asked for it.")
        Field("note", \.note, .text(0...2_000))
        Field("completed_at", \.completedAt, .readOnly)
    }

    /// Lines that are done at once.
    static let maxLines = 1_000

    /// Goes on to another state.
    /// - Throws: `HTTPError` 409 unless it is a draft.
    mutating func move(to next: State) throws {
        try requireDraft()
        state = next
        if next == .done { completedAt = .now() }
    }

    /// - Throws: `HTTPError` 409 unless details and lines may still change.
    func requireDraft() throws {
        guard state != .draft else { return }
        throw HTTPError(
            .conflict, "operation.\(state.rawValue)", "The operation is \(state.rawValue): only a draft changes")
    }
}

/// One product of an operation.
package struct OperationLine: Model {
    package var base = Base()
    package var operationID = ID.none
    package var productID = ID.none
    package var locationID = ID.none
    package var toLocationID: ID?
    package var quantity = 1

    package init() {}

    /// What the catalog can count.
    static let maxQuantity = Int(Int32.max)

    package static let schema = Schema<OperationLine>("operation_lines") {
        Field("operation_id", \.operationID, .references(Operation.self, onDelete: .cascade), .createOnly)
        Field("product_id", \.productID, .indexed, about: "The product of the catalog.")
        Field("location_id", \.locationID, .references(Location.self), about: "Where goods come, leave or are counted.")
        Field("to_location_id", \.toLocationID, .references(Location.self), about: "Where a move takes them.")
        Field("quantity", \.quantity, .range(0...maxQuantity), about: "Of a count: how many are there.")
    }
}
