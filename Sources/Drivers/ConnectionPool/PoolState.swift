/// A bounded pool of connections as a pure state machine: events go in, actions come out, sockets are elsewhere.
///
/// Connections and waiters are known by number only; the driver keeps the objects. One state belongs to one event
/// loop, so nothing here locks.
package struct PoolState: Sendable {
    /// A connection's number.
    package typealias Connection = Int
    /// A waiting caller's number.
    package typealias Waiter = Int

    /// What the driver must do, in order.
    package enum Action: Hashable, Sendable {
        /// Start opening this connection.
        case open(Connection)
        /// Hand the connection to the caller.
        case lease(Connection, to: Waiter)
        /// Tell the caller why it gets none.
        case fail(Waiter, Refusal)
        /// Close the connection.
        case close(Connection)
    }

    package enum Refusal: Hashable, Sendable {
        /// More callers wait than the pool takes.
        case tooManyWaiting
        /// No connection became free in time.
        case timedOut
        /// No connection can be opened.
        case cannotConnect
        case drained
    }

    private enum Phase: Sendable {
        case opening
        case idle(since: UInt64)
        case leased
    }

    private let maxConnections: Int
    private let maxWaiters: Int
    private let idleTimeoutMilliseconds: UInt64
    private var phases: [Connection: Phase] = [:]
    /// The most recently used last: it is the warmest, and the others may age out.
    private var idle: [Connection] = []
    private var waiters: [(waiter: Waiter, deadline: UInt64)] = []
    private var nextConnection = 0
    private var isDraining = false

    /// - Parameters:
    ///   - maxConnections: 1 or more. - maxWaiters: 0 or more.
    ///   - idleTimeoutMilliseconds: after which an unused connection is closed.
    package init(maxConnections: Int, maxWaiters: Int, idleTimeoutMilliseconds: UInt64) {
        precondition(maxConnections > 0 && maxWaiters >= 0)
        self.maxConnections = maxConnections
        self.maxWaiters = maxWaiters
        self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
    }

    package var idleCount: Int { idle.count }
    package var openCount: Int { phases.count }
    package var waitingCount: Int { waiters.count }
    package var leasedCount: Int {
        phases.values.reduce(0) { count, phase in if case .leased = phase { count + 1 } else { count } }
    }
    /// Nothing is open and nobody waits.
    package var isEmpty: Bool { phases.isEmpty && waiters.isEmpty }

    // MARK: Events

    /// A caller wants a connection, at the latest at `deadline`.
    package mutating func acquire(_ waiter: Waiter, deadline: UInt64) -> [Action] {
        guard !isDraining else { return [.fail(waiter, .drained)] }
        if waiters.isEmpty, let connection = idle.popLast() {
            phases[connection] = .leased
            return [.lease(connection, to: waiter)]
        }
        guard waiters.count < maxWaiters else { return [.fail(waiter, .tooManyWaiting)] }
        waiters.append((waiter, deadline))
        return openIfWanted()
    }

    /// A caller no longer waits.
    package mutating func abandon(_ waiter: Waiter) { waiters.removeAll { $0.waiter == waiter } }

    package mutating func opened(_ connection: Connection, now: UInt64) -> [Action] {
        guard phases[connection] != nil else { return [.close(connection)] }
        return makeFree(connection, now: now)
    }

    /// It could not be opened: those who wait are told, since the next attempt would most likely end the same way.
    package mutating func failedToOpen(_ connection: Connection) -> [Action] {
        phases[connection] = nil
        let isOneOpening = phases.values.contains { if case .opening = $0 { true } else { false } }
        let isOneLeased = leasedCount > 0
        // A connection in use will come back and serve them.
        if isOneOpening || isOneLeased { return [] }
        let told = waiters.map { Action.fail($0.waiter, .cannotConnect) }
        waiters = []
        return told
    }

    package mutating func release(_ connection: Connection, now: UInt64) -> [Action] {
        guard case .leased = phases[connection] else { return [] }
        return makeFree(connection, now: now)
    }

    /// A connection broke, or its user gave it back unusable.
    package mutating func closed(_ connection: Connection) -> [Action] {
        phases[connection] = nil
        idle.removeAll { $0 == connection }
        return openIfWanted()
    }

    /// Time went by.
    package mutating func tick(now: UInt64) -> [Action] {
        var actions: [Action] = []
        while let first = waiters.first(where: { $0.deadline <= now }) {
            abandon(first.waiter)
            actions.append(.fail(first.waiter, .timedOut))
        }
        while let oldest = idle.first, case .idle(let since) = phases[oldest],
            now >= since + idleTimeoutMilliseconds
        {
            idle.removeFirst()
            phases[oldest] = nil
            actions.append(.close(oldest))
        }
        return actions
    }

    /// No more leases; what is idle closes now, what is leased when it comes back.
    package mutating func drain() -> [Action] {
        isDraining = true
        let actions = waiters.map { Action.fail($0.waiter, .drained) } + idle.map(Action.close)
        for connection in idle { phases[connection] = nil }
        waiters = []
        idle = []
        return actions
    }

    // MARK: Parts

    private mutating func makeFree(_ connection: Connection, now: UInt64) -> [Action] {
        if isDraining {
            phases[connection] = nil
            return [.close(connection)]
        }
        if !waiters.isEmpty {
            phases[connection] = .leased
            return [.lease(connection, to: waiters.removeFirst().waiter)]
        }
        phases[connection] = .idle(since: now)
        idle.append(connection)
        return []
    }

    /// As many are opening as there are callers that no open connection will serve.
    private mutating func openIfWanted() -> [Action] {
        let opening = phases.values.reduce(0) { count, phase in if case .opening = phase { count + 1 } else { count } }
        guard !isDraining, phases.count < maxConnections, opening < waiters.count else { return [] }
        nextConnection += 1
        phases[nextConnection] = .opening
        return [.open(nextConnection)]
    }
}
