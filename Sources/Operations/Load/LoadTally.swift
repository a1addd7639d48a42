internal import Synchronization

/// What a shopper does, as the report lists it.
package enum LoadStep: String, CaseIterable, Sendable {
    case browse = "browse products"
    case look = "look at a product"
    case add = "add to cart"
    case cart = "see the cart"
    case checkOut = "check out"
    case follow = "follow the order"
}

/// What happened so far, added up while it happens.
package final class LoadTally: Sendable {
    /// One kind of step.
    package struct Line: Sendable {
        package var latencies = Latencies()
        /// Answered 2xx or 3xx.
        package var succeeded = 0
        /// Answered 4xx: out of stock, too many requests.
        package var refused = 0
        /// Answered 5xx, or not at all.
        package var failed = 0
        package var total: Int { succeeded + refused + failed }
    }

    package struct Snapshot: Sendable {
        package var lines: [LoadStep: Line] = [:]
        package var begun = 0
        package var underWay = 0
        /// Sessions that did not begin, because too many were under way or no shopper was free to buy.
        package var skipped = 0
        package var delivered = 0
        package var cancelled = 0
        /// Orders that had no outcome when the waiting ended.
        package var unfinished = 0
        /// From placing an order to its outcome.
        package var journeys = Latencies()
        /// What failed, each kind with the number of times; bounded.
        package var problems: [String: Int] = [:]

        package var requests: Int { lines.values.reduce(0) { $0 + $1.total } }
        package var failures: Int { lines.values.reduce(0) { $0 + $1.failed } }
    }

    private let state = Mutex(Snapshot())
    private static let maxProblems = 20

    package init() {}

    package var snapshot: Snapshot { state.withLock { $0 } }

    func change(_ body: (inout Snapshot) -> Void) { state.withLock { body(&$0) } }

    /// - Parameter status: nil when there was no answer.
    func note(_ step: LoadStep, status: Int?, nanoseconds: UInt64, problem: String? = nil) {
        state.withLock { state in
            var line = state.lines[step] ?? Line()
            line.latencies.record(nanoseconds)
            switch status {
            case .some(200..<400): line.succeeded += 1
            case .some(400..<500): line.refused += 1
            default:
                line.failed += 1
                let problem = "\(step.rawValue): \(problem ?? status.map { "status \($0)" } ?? "no answer")"
                if state.problems[problem] != nil || state.problems.count < Self.maxProblems {
                    state.problems[problem, default: 0] += 1
                }
            }
            state.lines[step] = line
        }
    }
}
