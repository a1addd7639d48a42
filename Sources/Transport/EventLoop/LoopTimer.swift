internal import CLibUV

/// A timer of one event loop. Made, fired and cancelled on that loop's thread.
package final class LoopTimer {
    private var handle: UnsafeMutablePointer<uv_timer_t>?
    private let repeats: Bool
    private let action: () -> Void

    fileprivate init(loop: EventLoop, milliseconds: UInt64, repeating: UInt64, action: @escaping () -> Void) {
        self.action = action
        repeats = repeating > 0
        let handle = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
        uv_timer_init(loop.uv, handle)
        self.handle = handle
        // Released by `cancel`, which also the last firing calls.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        uv_timer_start(handle, onTimer, milliseconds, repeating)
    }

    /// Stops the timer. Again, or after it fired, this does nothing.
    package func cancel() {
        guard let handle else { return }
        self.handle = nil
        uv_timer_stop(handle)
        let data = handle.pointee.data
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            uv_close($0, freeTimer)
        }
        if let data { Unmanaged<LoopTimer>.fromOpaque(data).release() }
    }

    fileprivate func fire() {
        if !repeats { cancel() }
        action()
    }
}

extension EventLoop {
    /// Runs `action` on this loop after a delay, and then again every `repeating` milliseconds when that is not
    /// zero. Loop thread only.
    @discardableResult
    package func schedule(afterMilliseconds milliseconds: UInt64, repeating: UInt64 = 0, _ action: @escaping () -> Void)
        -> LoopTimer
    {
        preconditionInLoop()
        return LoopTimer(loop: self, milliseconds: milliseconds, repeating: repeating, action: action)
    }
}

private func onTimer(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = handle?.pointee.data else { return }
    Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue().fire()
}

private func freeTimer(_ handle: UnsafeMutablePointer<uv_handle_t>?) { handle?.deallocate() }
