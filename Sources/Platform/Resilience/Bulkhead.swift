internal import Synchronization

/// Bounds how much of one thing goes on at once, so that a dependency which has become slow holds a few of a service's
/// requests and not all of them. What does not fit is refused at once: waiting in line is what it is there to prevent.
///
///     guard bulkhead.enter() else { … }
///     defer { bulkhead.leave() }
package final class Bulkhead: Sendable {
    /// How much may go on at once, 1 or more.
    package let limit: Int
    private let inside = Atomic<Int>(0)

    package init(limit: Int) {
        precondition(limit >= 1)
        self.limit = limit
    }

    /// What goes on at the moment.
    package var count: Int { inside.load(ordering: .relaxed) }

    /// Whether there was room; a true answer must be followed by `leave`.
    package func enter() -> Bool {
        if inside.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        inside.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Makes room for another.
    package func leave() { inside.wrappingSubtract(1, ordering: .relaxed) }
}
