internal import Glibc
internal import Synchronization

/// The loops of a process: one a core unless told otherwise.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic<Int>(0)

    /// - Parameter count: one or more; the number of online cores by default.
    package init(count: Int = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) {
        precondition(count > 0)
        loops = (0..<count).map(EventLoop.init(index:))
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
