internal import Glibc

/// A pair of descriptors on which a thread of ours sleeps and by which others wake it.
struct WakeUp: ~Copyable, Sendable {
    private let reading: Int32
    private let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let result = pipe(&ends)
        precondition(result == 0, "cannot make a pipe: error \(errno)")
        (reading, writing) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// Wakes the sleeper by any byte that is written here.
    var descriptor: Int32 { writing }

    /// Wakes the sleeper, now or at its next sleep. Signals that nobody has slept on yet count once.
    func signal() {
        var one: UInt8 = 1
        _ = write(writing, &one, 1)
    }

    /// Sleeps until woken, until `other` is ready, or until the time is up.
    /// - Parameter milliseconds: negative to wait for ever.
    /// - Returns: what `other` is ready for.
    @discardableResult
    func sleep(milliseconds: Int32, other: Int32 = -1, events: Int32 = 0) -> Int32 {
        withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors[0] = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            descriptors[1] = pollfd(fd: other, events: Int16(truncatingIfNeeded: events), revents: 0)
            guard poll(descriptors.baseAddress, other < 0 ? 1 : 2, milliseconds) > 0 else { return 0 }
            if descriptors[0].revents != 0 {
                var drained: (UInt64, UInt64) = (0, 0)
                while read(reading, &drained, 16) == 16 {}
            }
            return other < 0 ? 0 : Int32(descriptors[1].revents)
        }
    }
}
