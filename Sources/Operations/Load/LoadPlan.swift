/// What load to put on a platform: sessions of shoppers that arrive at random, whether the platform keeps up or not.
package struct LoadPlan: Sendable {
    /// Sessions that begin a second, on average; 0.1 to 1,000.
    package var sessionsPerSecond: Double
    /// How long sessions arrive; 1 to 86,400. What is under way then ends.
    package var seconds: Int
    /// The same seed gives the same arrivals, shoppers, products and pauses.
    package var seed: UInt64
    /// Accounts that take turns; 1 to 1,000.
    package var shoppers: Int
    /// Mean pause of a shopper between two steps; 0 to 60,000.
    package var pauseMilliseconds: Int

    /// Sessions under way at once; those that would come on top are counted, not begun.
    package static let maxConcurrent = 2_000

    package init(
        sessionsPerSecond: Double = 10, seconds: Int = 30, seed: UInt64 = 1, shoppers: Int = 20,
        pauseMilliseconds: Int = 200
    ) {
        self.sessionsPerSecond = sessionsPerSecond
        self.seconds = seconds
        self.seed = seed
        self.shoppers = shoppers
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// Arrival times in nanoseconds from the start, ascending: a Poisson process, since shoppers do not wait for each
    /// other (an open system).
    package func arrivals() -> [UInt64] {
        var random = SeededRandom(seed: seed)
        var times: [UInt64] = []
        var time = 0.0
        while true {
            time += random.exponential(mean: 1 / sessionsPerSecond)
            guard time < Double(seconds) else { return times }
            times.append(UInt64(time * 1e9))
        }
    }
}

/// How far a shopper goes.
enum SessionKind: CaseIterable, Sendable {
    case browses
    case fillsACart
    case buys

    /// Of a hundred sessions. Shops see more lookers than buyers, and buyers are what exercises everything.
    private var weight: Int {
        switch self {
        case .browses: 60
        case .fillsACart: 20
        case .buys: 20
        }
    }

    static func random(_ random: inout SeededRandom) -> SessionKind {
        var ticket = Int.random(in: 0..<100, using: &random)
        for kind in allCases {
            ticket -= kind.weight
            if ticket < 0 { return kind }
        }
        return .browses
    }
}
