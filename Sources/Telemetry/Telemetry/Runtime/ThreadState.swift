internal import CThread
internal import Glibc

/// What telemetry keeps for each thread: random numbers for identifiers, a scratch buffer for log lines, the text of
/// the current second. Confined to its thread, freed when the thread ends.
struct ThreadState: ~Copyable {
    var random: Xoshiro256
    var scratch = ByteBuffer(capacity: 1024)
    var second = ByteBuffer(capacity: 32)
    var formattedSecond = Int64.min
    var spanRecords = SpanRecordPool()
    /// What the wall clock is ahead of the monotonic one, and when that was found out.
    var wallOffset = WallOffset()

    /// Bytes of scratch that a thread keeps; one long line does not hold memory for ever.
    static let keptScratchBytes = 64 * 1024

    /// The calling thread's state. Valid on this thread only, and never across a suspension point.
    @inline(__always)
    static var current: UnsafeMutablePointer<ThreadState> {
        if let slot = vitrine_thread_buffer() { return slot.assumingMemoryBound(to: ThreadState.self) }
        return make()
    }

    @inline(never)
    private static func make() -> UnsafeMutablePointer<ThreadState> {
        let state = UnsafeMutablePointer<ThreadState>.allocate(capacity: 1)
        state.initialize(to: ThreadState(random: Xoshiro256.seeded()))
        vitrine_set_thread_buffer(UnsafeMutableRawPointer(state))
        pthread_setspecific(threadStateKey, UnsafeMutableRawPointer(state))
        return state
    }

    /// Appends `YYYY-MM-DDTHH:MM:SS.mmmZ`; the text down to the second is formatted once a second.
    mutating func appendTimestamp(wallNanoseconds: UInt64) {
        let seconds = Int64(wallNanoseconds / 1_000_000_000)
        if seconds != formattedSecond {
            second.removeAll()
            second.appendDateTime(unixSeconds: seconds)
            formattedSecond = seconds
        }
        scratch.append(second.base, count: second.count)
        scratch.append(UInt8(ascii: "."))
        scratch.appendPadded(wallNanoseconds % 1_000_000_000 / 1_000, width: 6)
        scratch.append(UInt8(ascii: "Z"))
    }
}

/// Exists for its destructor, which frees the state of a thread that ends.
private let threadStateKey: pthread_key_t = {
    var key = pthread_key_t()
    let result = pthread_key_create(&key, freeThreadState)
    precondition(result == 0, "no thread-specific keys left")
    return key
}()

private func freeThreadState(_ pointer: UnsafeMutableRawPointer?) {
    guard let state = pointer?.assumingMemoryBound(to: ThreadState.self) else { return }
    vitrine_set_thread_buffer(nil)
    state.deinitialize(count: 1)
    state.deallocate()
}

/// The generator xoshiro256++ (Blackman and Vigna): fast, 256 bits of state, seeded from the kernel. Identifiers need
/// to be unique, not secret.
struct Xoshiro256 {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    static func seeded() -> Xoshiro256 {
        var kernel = SystemRandomNumberGenerator()
        return Xoshiro256(state: (kernel.next() | 1, kernel.next(), kernel.next(), kernel.next()))
    }

    private init(state: (UInt64, UInt64, UInt64, UInt64)) { self.state = state }

    mutating func next() -> UInt64 {
        let sum = state.0 &+ state.3
        let result = ((sum << 23) | (sum >> 41)) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = (state.3 << 45) | (state.3 >> 19)
        return result
    }

    /// Anything but zero: the all-zero identifiers are invalid.
    mutating func nextNonZero() -> UInt64 {
        while true {
            let value = next()
            if value != 0 { return value }
        }
    }
}
