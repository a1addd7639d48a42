internal import CThread
package import Synchronization

/// The storage of one series: a block of 64-bit cells for each thread that updates it, summed at scrape.
///
/// The threads with the lowest `exclusiveThreads` ordinals own their block, so that an update is a plain load and store
/// (relaxed) of a cache line that nobody else writes; other threads share the last block and pay for an atomic
/// read-modify-write. Blocks are made at a thread's first update and live as long as the series; a thread that takes
/// over the ordinal of one that has ended goes on with its block.
package struct ShardedCells: ~Copyable, @unchecked Sendable {
    // Safety (`@unchecked Sendable`): `slots` is immutable; what it points to is atomic.
    /// 64 bits: a count, or the bits of a `Double`.
    package typealias Cell = Atomic<UInt64>

    /// Threads (by their ordinal) that write without a bus lock.
    package static let exclusiveThreads = 15
    private static let cacheLineBytes = 64

    /// The blocks, by the ordinal of their thread; the last one is shared.
    package let slots: UnsafeMutablePointer<Atomic<UnsafeMutableRawPointer?>>
    /// Cells of a block.
    package let cellCount: Int

    /// Storage without any block yet.
    package init(cellCount: Int) {
        self.cellCount = cellCount
        slots = .allocate(capacity: Self.exclusiveThreads + 1)
        for index in 0...Self.exclusiveThreads { (slots + index).initialize(to: Atomic(nil)) }
    }

    deinit {
        for index in 0...Self.exclusiveThreads {
            slots[index].load(ordering: .relaxed)?.deallocate()
            (slots + index).deinitialize(count: 1)
        }
        slots.deallocate()
    }

    /// The block of a slot, made when it is not there yet.
    @inlinable @inline(__always)
    package func block(_ slot: Int) -> UnsafeMutablePointer<Cell> {
        if let block = slots[slot].load(ordering: .acquiring) { return block.assumingMemoryBound(to: Cell.self) }
        return makeBlock(slot)
    }

    /// Makes the block of a slot, or finds the one that another thread has just made.
    @inline(never)
    package func makeBlock(_ slot: Int) -> UnsafeMutablePointer<Cell> {
        let size = max(1, (cellCount * 8 + Self.cacheLineBytes - 1) / Self.cacheLineBytes) * Self.cacheLineBytes
        let raw = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.cacheLineBytes)
        let cells = raw.bindMemory(to: Cell.self, capacity: cellCount)
        for index in 0..<cellCount { (cells + index).initialize(to: Atomic(0)) }
        let (exchanged, original) = slots[slot].compareExchange(
            expected: nil, desired: raw, ordering: .acquiringAndReleasing)
        if exchanged { return cells }
        raw.deallocate()
        // Another thread of the shared slot was first.
        return original?.assumingMemoryBound(to: Cell.self) ?? block(slot)
    }

    /// Adds one to a cell that holds a count.
    @inlinable @inline(__always)
    package func increment(cell: Int) {
        let ordinal = Int(vitrine_thread_ordinal())
        if ordinal < Self.exclusiveThreads {
            let block = block(ordinal)
            block[cell].store(block[cell].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        } else {
            block(Self.exclusiveThreads)[cell].wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Adds to a cell that holds a `Double`.
    @inlinable @inline(__always)
    package func add(_ amount: Double, toCell cell: Int) {
        let ordinal = Int(vitrine_thread_ordinal())
        if ordinal < Self.exclusiveThreads {
            ShardedCells.add(amount, to: block(ordinal), cell)
        } else {
            ShardedCells.addShared(amount, to: block(Self.exclusiveThreads), cell)
        }
    }

    /// Adds to a cell that only the calling thread writes.
    @inlinable @inline(__always)
    package static func add(_ amount: Double, to block: UnsafeMutablePointer<Cell>, _ cell: Int) {
        let value = Double(bitPattern: block[cell].load(ordering: .relaxed)) + amount
        block[cell].store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds to a cell that several threads write.
    @inline(never)
    package static func addShared(_ amount: Double, to block: UnsafeMutablePointer<Cell>, _ cell: Int) {
        var old = block[cell].load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = block[cell].weakCompareExchange(
                expected: old, desired: sum, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// Calls `body` with every block that exists.
    package func forEachBlock(_ body: (UnsafeMutablePointer<Cell>) -> Void) {
        for index in 0...Self.exclusiveThreads {
            if let block = slots[index].load(ordering: .acquiring) { body(block.assumingMemoryBound(to: Cell.self)) }
        }
    }
}
