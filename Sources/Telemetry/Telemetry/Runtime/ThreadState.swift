internal import CThread
internal import Glibc

/// What telemetry keeps for each thread: random numbers for identifiers, a scratch buffer for log lines, the text of
/// the current second. Confined to its thread, freed when the thread ends.
struct ThreadState: ~Copyable {
    var random: Xoshiro256
    var scratch = ByteBuffer(capacity: 1024)
    var lineStart = ByteBuffer(capacity: ThreadState.lineStartBytes)
    var formattedSecond = UInt64.max
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
        // Threads that tell of requests can tell of their own stack overflow, too.
        vitrine_crash_add_thread()
        return state
    }

    /// Room for `lineStart` in whole words, so that it is copied by a few moves.
    static let lineStartBytes = 40

    /// Begins a line with `{"@timestamp":"YYYY-MM-DDTHH:MM:SS.mmmmmmZ`; what stands before the fraction is formatted
    /// once a second.
    @inline(__always)
    mutating func appendLineStart(wallNanoseconds: UInt64) {
        let (seconds, fraction) = wallNanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if seconds != formattedSecond { formatLineStart(seconds) }
        scratch.reserve(Self.lineStartBytes)
        UnsafeMutableRawPointer(scratch.base + scratch.count).copyMemory(
            from: lineStart.base, byteCount: Self.lineStartBytes)
        scratch.count &+= lineStart.count
        scratch.appendSixDigits(UInt32(truncatingIfNeeded: fraction / 1_000))
        scratch.append(UInt8(ascii: "Z"))
    }

    @inline(never)
    private mutating func formatLineStart(_ seconds: UInt64) {
        lineStart.removeAll()
        lineStart.append("{\"@timestamp\":\"" as StaticString)
        lineStart.appendDateTime(unixSeconds: Int64(seconds))
        lineStart.append(UInt8(ascii: "."))
        // The copy takes whole words: they are all initialised.
        for index in lineStart.count..<Self.lineStartBytes { lineStart.base[index] = 0 }
        formattedSecond = seconds
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
    vitrine_crash_remove_thread()
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
