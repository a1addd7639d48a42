internal import CatalogContracts
internal import OrdersContracts
internal import Shopping
internal import Telemetry
internal import Values

/// One visit: browses, perhaps fills a cart, perhaps buys and waits for the order's outcome.
struct LoadSession {
    let client: ShopClient
    let tally: LoadTally
    let token: String
    let kind: SessionKind
    let categories: [String]
    /// When the visit was due (monotonic nanoseconds): a platform that keeps shoppers waiting at the door is slow too.
    let due: UInt64
    let pauseMilliseconds: Int
    var random: SeededRandom

    private struct Item: Encodable {
        let product_id: String
        let quantity: Int
    }

    private static let followPollMilliseconds = 300
    private static let followSeconds = 60
    /// Dearer things are above the limit of the simulated card.
    private static let mostCents: Int64 = 500_000

    mutating func run() async {
        let category = ShopClient.encoded(categories.randomElement(using: &random) ?? "")
        let page = Int.random(in: 1...3, using: &random)
        guard
            let list = await call(
                .browse, since: due,
                { try await $0.get("/api/products/?category=\(category)&limit=12&page=\(page)", token: $1) }),
            let products = try? list.decode(ProductPage.self).items.filter({ $0.price.cents < Self.mostCents }),
            !products.isEmpty
        else { return }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            await pause()
            let product = products.randomElement(using: &random) ?? products[0]
            _ = await call(.look) { try await $0.get("/api/products/\(product.productID)", token: $1) }
        }
        guard kind != .browses else { return }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            await pause()
            let product = products.randomElement(using: &random) ?? products[0]
            let item = Item(product_id: product.productID, quantity: Int.random(in: 1...2, using: &random))
            _ = await call(.add) { try await $0.post("/cart-api/cart/items", token: $1, json: item) }
        }
        await pause()
        let cart = await call(.cart) { try await $0.get("/cart-api/cart/", token: $1) }
        guard kind == .buys, cart?.status == 200 else { return }
        await pause()
        let placed = TelemetryClock.system.monotonicNanoseconds()
        guard let answer = await call(.checkOut, { try await $0.post("/cart-api/cart/checkout", token: $1) }),
            answer.status == 200, let order = try? answer.decode(OrderView.self)
        else { return }
        await follow(order.id, placed)
    }

    private func follow(_ id: String, _ placed: UInt64) async {
        for _ in 0..<(Self.followSeconds * 1_000 / Self.followPollMilliseconds) {
            try? await Task.sleep(nanoseconds: UInt64(Self.followPollMilliseconds) * 1_000_000)
            guard !Task.isCancelled else { break }
            let answer = await call(.follow) { try await $0.get("/order-api/orders/\(id)", token: $1) }
            guard let status = try? answer?.decode(OrderView.self).status else { continue }
            guard status == .delivered || status == .cancelled else { continue }
            tally.change { tally in
                if status == .delivered { tally.delivered += 1 } else { tally.cancelled += 1 }
                tally.journeys.record(TelemetryClock.system.monotonicNanoseconds() - placed)
            }
            return
        }
        tally.change { $0.unfinished += 1 }
    }

    /// One request, counted and timed.
    private func call(
        _ step: LoadStep, since due: UInt64? = nil,
        _ body: (ShopClient, String) async throws -> ShopClient.Answer
    ) async -> ShopClient.Answer? {
        let start = due ?? TelemetryClock.system.monotonicNanoseconds()
        do {
            let answer = try await body(client, token)
            tally.note(step, status: answer.status, nanoseconds: TelemetryClock.system.monotonicNanoseconds() - start)
            return answer
        } catch {
            tally.note(
                step, status: nil, nanoseconds: TelemetryClock.system.monotonicNanoseconds() - start,
                problem: "\(error)")
            return nil
        }
    }

    private mutating func pause() async {
        let milliseconds = min(10_000, random.exponential(mean: Double(pauseMilliseconds)))
        if milliseconds >= 1 { try? await Task.sleep(nanoseconds: UInt64(milliseconds * 1e6)) }
    }
}
