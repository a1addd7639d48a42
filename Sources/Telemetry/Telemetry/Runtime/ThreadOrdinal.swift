internal import CThread

/// A small number of the calling thread, given once, from zero up: it picks the thread's shard of shared structures.
package enum ThreadOrdinal {
    /// Of the calling thread.
    @inline(__always)
    package static var current: Int { Int(vitrine_thread_ordinal()) }
}
