internal import Values

/// So much of a product.
struct StockLine: Codable, Hashable, Sendable {
    let productID: String
    let quantity: Int
}

/// What an order needs: one line a product, in the order of their ids, which is the order of locks; all of it or nothing
/// is set aside.
struct ReservationPlan: Sendable {
    let lines: [StockLine]
    /// Products that no stock can ever satisfy: malformed ids, quantities below one or beyond counting.
    private let impossible: Set<String>

    init(_ wanted: [StockLine]) {
        var quantities: [String: Int] = [:]
        var impossible: Set<String> = []
        for line in wanted {
            guard let id = Identifier.normalized(line.productID), line.quantity >= 1 else {
                impossible.insert(line.productID)
                continue
            }
            let (sum, overflow) = quantities[id, default: 0].addingReportingOverflow(line.quantity)
            if overflow { impossible.insert(id) } else { quantities[id] = sum }
        }
        self.impossible = impossible
        lines = quantities.map { StockLine(productID: $0.key, quantity: $0.value) }
            .sorted { $0.productID < $1.productID }
    }

    /// The products of which there is too little, in order; empty when everything can be set aside.
    func missing(in levels: [String: ProductStock]) -> [String] {
        let short = lines.filter { (levels[$0.productID]?.available ?? 0) < $0.quantity }.map(\.productID)
        return impossible.union(short).sorted()
    }
}
