internal import CLibUV

/// A timer of one event loop. Made, fired and cancelled on that loop's thread.
package final class LoopTimer: LoopHandle {
    private var handle: UnsafeMutablePointer<uv_timer_t>?
    private let repeats: Bool
    private let action: () -> Void

    fileprivate init(loop: EventLoop, milliseconds: UInt64, repeating: UInt64, action: @escaping () -> Void) {
        self.action = action
        repeats = repeating > 0
        super.init()
        let handle = makeHandle(uv_timer_t.self)
        uv_timer_init(loop.uv, handle)
        self.handle = handle
        // Released by `cancel`, which also the last firing calls.
        handle.pointee.data = Unmanaged.passRetained(self as LoopHandle).toOpaque()
        uv_timer_start(handle, onTimer, milliseconds, repeating)
    }

    /// Stops the timer. Again, or after it fired, this does nothing.
    package func cancel() {
        guard let handle else { return }
        self.handle = nil
        uv_timer_stop(handle)
        let data = handle.pointee.data
        dispose(handle)
        if let data { Unmanaged<LoopHandle>.fromOpaque(data).release() }
    }

    package override func close() { cancel() }

    fileprivate func fire() {
        if !repeats { cancel() }
        action()
    }
}

/// A deadline that is set and cleared many times: no allocation but the first. Confined to its loop.
package final class LoopAlarm: LoopHandle {
    private var handle: UnsafeMutablePointer<uv_timer_t>?
    /// What to do when it is due.
    package var action: (() -> Void)?

    /// Makes an alarm that is not set. Close it when it is no longer needed.
    package init(loop: EventLoop) {
        loop.preconditionInLoop()
        super.init()
        let handle = makeHandle(uv_timer_t.self)
        uv_timer_init(loop.uv, handle)
        handle.pointee.data = Unmanaged.passUnretained(self as LoopHandle).toOpaque()
        self.handle = handle
    }

    deinit { close() }

    /// Goes off once after this time; an earlier setting is forgotten.
    package func set(afterMilliseconds milliseconds: UInt64) {
        guard let handle else { return }
        uv_timer_start(handle, onAlarm, milliseconds, 0)
    }

    /// Does not go off any more until it is set again.
    package func clear() {
        guard let handle else { return }
        uv_timer_stop(handle)
    }

    package override func close() {
        guard let handle else { return }
        self.handle = nil
        action = nil
        uv_timer_stop(handle)
        dispose(handle)
    }

    fileprivate func ring() { action?() }
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

    /// Reports how late a timer fires, again and again: how long what runs on this loop keeps everything else
    /// waiting. Loop thread only; cancel the timer to stop.
    /// - Parameters:
    ///   - interval: milliseconds between two measurements, 1 or more. - report: gets nanoseconds of delay.
    package func observeLag(everyMilliseconds interval: UInt64, _ report: @escaping (_ lagNanoseconds: UInt64) -> Void)
        -> LoopTimer
    {
        var last = uv_hrtime()
        return schedule(afterMilliseconds: interval, repeating: interval) {
            let now = uv_hrtime()
            let expected = last &+ interval &* 1_000_000
            report(now > expected ? now - expected : 0)
            last = now
        }
    }
}

private func onTimer(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = handle?.pointee.data else { return }
    // Safety: only `LoopTimer` starts timers with this callback.
    let owner = Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue()
    unsafeDowncast(owner, to: LoopTimer.self).fire()
}

private func onAlarm(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = handle?.pointee.data else { return }
    // Safety: only `LoopAlarm` starts timers with this callback.
    let owner = Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue()
    unsafeDowncast(owner, to: LoopAlarm.self).ring()
}
