internal import HTTPCodec
internal import ServiceKit

/// A change of what lies at one location, and how much lies there afterwards.
struct Posting: Hashable, Sendable {
    let productID: String
    let locationID: String
    /// Below zero for what leaves.
    let quantity: Int
    let after: Int
}

/// So much of a product at a location.
struct Shelf: Hashable, Sendable {
    let productID: String
    let locationID: String
    var quantity: Int
}

/// What an operation does to the stock, worked out before anything is written: all of it, or a refusal.
struct StockPlan: Sendable {
    struct Line: Sendable {
        let productID: String
        let locationID: String
        let toLocationID: String?
        let quantity: Int
    }

    private struct Place: Hashable {
        let productID: String
        let locationID: String
    }

    private var levels: [String: ProductStock]
    private var held: [Place: Int]
    private(set) var postings: [Posting] = []

    init(levels: [String: ProductStock], shelves: [Shelf]) {
        self.levels = levels
        held = Dictionary(
            uniqueKeysWithValues: shelves.map {
                (Place(productID: $0.productID, locationID: $0.locationID), $0.quantity)
            })
    }

    /// - Throws: `HTTPError` 409 when it cannot be done: nothing of it is.
    static func postings(
        of kind: Operation.Kind, _ lines: [Line], levels: [String: ProductStock], shelves: [Shelf]
    ) throws -> [Posting] {
        var plan = StockPlan(levels: levels, shelves: shelves)
        for line in lines { try plan.take(line, kind) }
        for level in plan.levels.values where level.onHand < level.reserved {
            throw HTTPError(
                .conflict, "stock.reserved", "Orders have set aside more of \(level.productID) than would be left")
        }
        return plan.postings.filter { $0.quantity != 0 }
    }

    private mutating func take(_ line: Line, _ kind: Operation.Kind) throws {
        guard levels[line.productID] != nil else {
            throw HTTPError(
                .conflict, "stock.unknown_product", "The warehouse does not know the product \(line.productID)")
        }
        guard kind == .count || line.quantity > 0 else {
            throw HTTPError(.conflict, "operation.empty_line", "A line of \(line.productID) has nothing in it")
        }
        guard (kind == .move) == (line.toLocationID != nil), line.toLocationID != line.locationID else {
            throw HTTPError(
                .conflict, "operation.destination",
                "A move needs another to_location_id on each line; nothing else has one")
        }
        switch kind {
        case .receive: try post(line.quantity, line, line.locationID)
        case .pick: try post(-line.quantity, line, line.locationID)
        case .move:
            // What arrives first: on the way, nothing is missing.
            try post(line.quantity, line, line.toLocationID ?? line.locationID)
            try post(-line.quantity, line, line.locationID)
        case .count:
            let place = Place(productID: line.productID, locationID: line.locationID)
            try post(line.quantity - held[place, default: 0], line, line.locationID)
        }
    }

    private mutating func post(_ quantity: Int, _ line: Line, _ locationID: String) throws {
        let after = held[Place(productID: line.productID, locationID: locationID), default: 0] + quantity
        guard after >= 0 else {
            throw HTTPError(
                .conflict, "stock.insufficient", "There is too little of \(line.productID) at \(locationID)")
        }
        held[Place(productID: line.productID, locationID: locationID)] = after
        levels[line.productID]?.onHand += quantity
        postings.append(
            Posting(productID: line.productID, locationID: locationID, quantity: quantity, after: after))
    }

    /// Takes so much of a product from where it lies, the oldest location first; the sum of its shelves is at least that.
    static func draw(_ quantity: Int, of productID: String, from shelves: [Shelf]) -> [Posting] {
        var rest = quantity
        return shelves.compactMap { shelf in
            guard shelf.productID == productID, shelf.quantity > 0, rest > 0 else { return nil }
            let taken = min(rest, shelf.quantity)
            rest -= taken
            return Posting(
                productID: productID, locationID: shelf.locationID, quantity: -taken, after: shelf.quantity - taken)
        }
    }

    /// So much of a product comes to a location.
    static func put(_ quantity: Int, of productID: String, at locationID: String, _ shelves: [Shelf]) -> Posting {
        let before = shelves.first { $0.productID == productID && $0.locationID == locationID }?.quantity ?? 0
        return Posting(productID: productID, locationID: locationID, quantity: quantity, after: before + quantity)
    }
}
