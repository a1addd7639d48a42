import CartContracts
import CatalogContracts
import Testing
import Values

@testable import Cart
@testable import Catalog
@testable import Warehouse

private let clock = "aaaaaaaa-0000-4000-8000-000000000001"
private let atlas = "bbbbbbbb-0000-4000-8000-000000000002"
private let radio = "cccccccc-0000-4000-8000-000000000003"

private func level(
    _ id: String, onHand: Int, reserved: Int = 0, revision: Int = 1, told: Int? = nil, discontinued: Bool = false
) -> ProductStock {
    ProductStock(
        productID: id, name: "Clock", onHand: onHand, reserved: reserved, catalogRevision: revision,
        catalogStockCount: told ?? onHand, isDiscontinued: discontinued)
}

/// What the warehouse makes of the catalog's events.
@Suite struct CatalogNewsTests {
    private func news(_ revision: Int, _ count: Int?, name: String = "Clock") -> CatalogNews {
        CatalogNews(
            productID: clock, companyID: nil, revision: revision,
            content: count.map { .present(name: name, stockCount: $0) } ?? .deleted)
    }

    /// Applies news one after the other, and adds up the movements.
    private func outcome(of all: [CatalogNews], from start: ProductStock? = nil) -> (ProductStock?, movements: Int) {
        all.reduce((start, 0)) { state, news in
            switch news.step(from: state.0) {
            case .ignore: state
            case .introduce(let level): (level, state.1 + level.onHand)
            case .follow(let level, let movement): (level, state.1 + movement)
            }
        }
    }

    @Test func everyOrderOfArrivalEndsAlikeAndMovementsAddUpToTheStock() {
        let facts = [news(1, 10), news(2, 12, name: "Clock II"), news(3, 12, name: "Clock III")]
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let (level, movements) = outcome(of: order.map { facts[$0] } + facts)
            #expect(level?.name == "Clock III")
            #expect(level?.onHand == 12)
            #expect(movements == 12)
        }
    }

    @Test func aDeletedProductStaysDeletedWhateverComesLate() {
        for facts in [[news(1, 10), news(3, nil), news(2, 40)], [news(3, nil), news(1, 10), news(2, 40)]] {
            let (level, movements) = outcome(of: facts)
            #expect(level?.isDiscontinued == true)
            #expect(level?.available == 0)
            #expect(movements == level?.onHand)
        }
    }

    @Test func aCountThatDidNotChangeDoesNotUndoSales() {
        let sold = level(clock, onHand: 3, told: 10)
        let (after, movements) = outcome(of: [news(2, 10, name: "Renamed")], from: sold)
        #expect(after?.onHand == 3)
        #expect(after?.name == "Renamed")
        #expect(movements == 0)
    }

    @Test func aLowerCountNeverTakesWhatIsSetAside() {
        let (after, movements) = outcome(of: [news(2, 1)], from: level(clock, onHand: 10, reserved: 4))
        #expect(after?.onHand == 4)
        #expect(movements == -6)
    }
}

/// What an order needs of the stock.
@Suite struct ReservationPlanTests {
    @Test func linesOfOneProductCountTogether() {
        let plan = ReservationPlan([
            StockLine(productID: atlas, quantity: 3), StockLine(productID: clock, quantity: 1),
            StockLine(productID: atlas.uppercased(), quantity: 3),
        ])
        #expect(
            plan.lines == [StockLine(productID: clock, quantity: 1), StockLine(productID: atlas, quantity: 6)])
        let clocks = level(clock, onHand: 1)
        #expect(plan.missing(in: [clock: clocks, atlas: level(atlas, onHand: 5)]) == [atlas])
        #expect(plan.missing(in: [clock: clocks, atlas: level(atlas, onHand: 6)]).isEmpty)
    }

    @Test func whatOthersSetAsideAndWhatIsUnknownOrDiscontinuedIsMissing() {
        let plan = ReservationPlan([clock, atlas, radio].map { StockLine(productID: $0, quantity: 2) })
        let levels = [
            clock: level(clock, onHand: 3, reserved: 2), atlas: level(atlas, onHand: 9, discontinued: true),
        ]
        #expect(plan.missing(in: levels) == [clock, atlas, radio])
    }

    @Test func impossibleLinesAreRefusedWithoutAskingTheDatabase() {
        let plan = ReservationPlan([
            StockLine(productID: "not a uuid", quantity: 1), StockLine(productID: clock, quantity: 0),
            StockLine(productID: atlas, quantity: .max), StockLine(productID: atlas, quantity: 1),
        ])
        #expect(plan.lines.map(\.productID).allSatisfy { $0 == atlas })
        #expect(Set(plan.missing(in: [:])) == ["not a uuid", clock, atlas])
    }
}

/// The life of a reservation.
@Suite struct ReservationSequenceTests {
    /// Where a state machine ends, and what is set aside and gone then, for facts in the order given.
    private func run(_ facts: [ReservationState.Fact]) -> (state: ReservationState?, reserved: Int, gone: Int) {
        var state: ReservationState?
        var (reserved, gone) = (0, 0)
        for fact in facts {
            switch ReservationState.step(from: state, on: fact) {
            case .ignore, .contradiction: break
            case .mark: state = .released
            case .reserve: (state, reserved) = (.reserved, reserved + 1)
            case .commit: (state, reserved, gone) = (.committed, reserved - 1, gone + 1)
            case .release: (state, reserved) = (.released, reserved - 1)
            case .takeBack: (state, gone) = (.returned, gone - 1)
            }
        }
        return (state, reserved, gone)
    }

    @Test func noSequenceOfFactsLosesOrInventsStock() {
        var sequences: [[ReservationState.Fact]] = [[]]
        for _ in 0..<5 {
            sequences += sequences.flatMap { known in ReservationState.Fact.allCases.map { known + [$0] } }
            for facts in sequences {
                let (state, reserved, gone) = run(facts)
                #expect(reserved == (state == .reserved ? 1 : 0))
                #expect(gone == (state == .committed ? 1 : 0))
            }
            sequences = Array(Set(sequences))
        }
    }

    @Test(arguments: [ReservationState.Fact.failed, .cancelled])
    func anEndThatComesFirstKeepsTheOrderFromReserving(_ end: ReservationState.Fact) {
        let (state, reserved, gone) = run([end, .created, .created, .completed])
        #expect(state == .released)
        #expect(reserved == 0 && gone == 0)
    }

    @Test func aCancelledOrderGivesBackWhatHadLeft() {
        #expect(run([.created, .completed, .cancelled]).state == .returned)
        #expect(run([.created, .cancelled, .completed]).state == .released)
    }
}

/// The pure part of a cart.
@Suite struct ShoppingCartTests {
    private func product(_ id: String, cents: Int64 = 1_000, name: String = "Clock") -> ProductView {
        ProductView(productID: id, name: name, category: "Clocks", price: Money(cents: cents))
    }

    private func cart(_ lines: [CartLine] = []) -> ShoppingCart { ShoppingCart(lines: lines, version: "7") }

    @Test func addingTwiceIsOneLineAtTodaysPrice() throws {
        let first = try cart().adding(2, of: product(clock))
        let second = try cart([first]).adding(3, of: product(clock, cents: 900))
        #expect(second.id == first.id)
        #expect(second.quantity == 5)
        #expect(second.view.totalPrice == Money(cents: 4_500))
    }

    @Test func quantitiesAndLinesAreBounded() throws {
        let line = try cart().adding(1_000, of: product(clock))
        #expect(throws: ShoppingCart.Refusal.quantity) { try cart([line]).adding(1, of: product(clock)) }
        #expect(throws: ShoppingCart.Refusal.quantity) { try cart().adding(0, of: product(clock)) }
        #expect(throws: ShoppingCart.Refusal.quantity) { try cart([line]).adding(.max, of: product(clock)) }
        let full = (0..<ShoppingCart.maxLines).map { number in
            CartLine(id: "\(number)", productID: "p\(number)", name: "", price: .zero, quantity: 1)
        }
        #expect(throws: ShoppingCart.Refusal.full) { try cart(full).adding(1, of: product(clock)) }
    }

    @Test func itFollowsTheCatalogAndKeepsQuantities() throws {
        let lines = [
            try cart().adding(2, of: product(clock)), try cart().adding(1, of: product(atlas)),
            try cart().adding(4, of: product(radio)),
        ]
        var cheaper = lines[1]
        cheaper.price = Money(cents: 800)
        let changes = cart(lines).changes(to: [product(clock), product(atlas, cents: 800)])
        #expect(changes == [.put(cheaper), .remove(productID: radio)])
    }

    @Test func aLineIsFoundByItsOwnIdAndByItsProduct() throws {
        let line = try cart().adding(1, of: product(clock))
        #expect(cart([line]).line(line.id) == line)
        #expect(cart([line]).line(clock) == line)
        #expect(cart([line]).line(atlas) == nil)
    }
}

/// Keys of cached lists.
@Suite struct ProductQueryTests {
    @Test func everyPartOfAQueryIsInItsKey() {
        var queries = [ProductQuery(), ProductQuery(category: "a|b"), ProductQuery(category: "b")]
        queries.append(ProductQuery(skip: 1))
        queries.append(ProductQuery(limit: 1))
        queries.append(ProductQuery(order: .price))
        queries.append(ProductQuery(isDescending: true))
        queries.append(ProductQuery(minPrice: Money(cents: 100)))
        queries.append(ProductQuery(maxPrice: Money(cents: 100)))
        queries.append(ProductQuery(companyID: clock))
        #expect(Set(queries.map(\.cacheKey)).count == queries.count)
    }
}
