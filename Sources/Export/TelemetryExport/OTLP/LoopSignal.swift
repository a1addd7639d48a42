internal import EventLoop

/// Wakes one waiting task of an event loop: when there is work, when it is time to stop, or when time is up.
///
/// Safety (`@unchecked Sendable`): all state is touched on the loop's thread only.
final class LoopSignal: @unchecked Sendable {
    private let loop: EventLoop
    private var hasWork = false
    private var wakesForWork = false
    private var waiter: CheckedContinuation<Void, Never>?
    private var timer: LoopTimer?
    private(set) var isStopping = false

    init(loop: EventLoop) { self.loop = loop }

    /// There is work. Any thread.
    func notify() {
        loop.execute { [self] in
            hasWork = true
            if wakesForWork { wake() }
        }
    }

    /// It is time to stop. Any thread.
    func stop() {
        loop.execute { [self] in
            isStopping = true
            wake()
        }
    }

    /// Waits for work, for the stop, or for the time; loop thread only.
    func waitForWork(milliseconds: Int) async {
        if !hasWork { await wait(milliseconds: milliseconds, forWork: true) }
        hasWork = false
    }

    /// Waits for the time, or for the stop; loop thread only.
    func pause(milliseconds: Int) async { await wait(milliseconds: milliseconds, forWork: false) }

    private func wait(milliseconds: Int, forWork: Bool) async {
        loop.preconditionInLoop()
        guard !isStopping else { return }
        wakesForWork = forWork
        await withCheckedContinuation { continuation in
            waiter = continuation
            timer = loop.schedule(afterMilliseconds: UInt64(max(0, milliseconds))) { [self] in wake() }
        }
    }

    private func wake() {
        timer?.cancel()
        timer = nil
        wakesForWork = false
        let waiting = waiter
        waiter = nil
        waiting?.resume()
    }
}
