internal import CThread
internal import Glibc
internal import Synchronization

/// The loops of a process: one a core unless told otherwise.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic<Int>(0)

    /// - Parameter count: one or more; the number of cores that the process may use by default.
    package init(count: Int = EventLoopGroup.usableCores) {
        precondition(count > 0)
        loops = (0..<count).map(EventLoop.init(index:))
    }

    /// Cores that the process may run on: fewer than are online when it is pinned, or in a container with a set of cores.
    package static var usableCores: Int {
        let usable = Int(vitrine_usable_cores())
        return usable > 0 ? usable : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// The caller's own loop if it is on one of these, else the loops in turn.
    package func next() -> EventLoop {
        if let current = EventLoop.current, owns(current) { return current }
        let number = turn.wrappingAdd(1, ordering: .relaxed).newValue
        return loops[Int(UInt(bitPattern: number) % UInt(loops.count))]
    }

    /// Whether the loop is one of these.
    package func owns(_ loop: EventLoop) -> Bool { loop.index < loops.count && loops[loop.index] === loop }

    /// Stops and joins every loop.
    package func shutdown() { for loop in loops { loop.shutdown() } }
}
