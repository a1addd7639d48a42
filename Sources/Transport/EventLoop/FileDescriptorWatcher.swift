internal import CLibUV

/// Watches a socket that a C library owns (libpq, hiredis) for readiness. Confined to its loop.
package final class FileDescriptorWatcher: LoopHandle {
    package struct Events: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
        package static let readable = Events(rawValue: Int32(UV_READABLE.rawValue))
        package static let writable = Events(rawValue: Int32(UV_WRITABLE.rawValue))
    }

    private var handle: UnsafeMutablePointer<uv_poll_t>?
    fileprivate let action: (Events) -> Void
    private var events: Events = []

    /// - Parameter action: what is ready; an error of the socket is reported as readable and writable.
    package init(loop: EventLoop, descriptor: Int32, action: @escaping (Events) -> Void) {
        loop.preconditionInLoop()
        self.action = action
        super.init()
        let handle = makeHandle(uv_poll_t.self)
        // A descriptor that cannot be polled is the library's bug: its own next call reports it.
        guard uv_poll_init(loop.uv, handle, descriptor) == 0 else {
            UnsafeMutableRawPointer(handle).deallocate()
            return
        }
        handle.pointee.data = Unmanaged.passUnretained(self as LoopHandle).toOpaque()
        self.handle = handle
    }

    deinit { close() }

    /// Watches for these events from now on; none stops the watching.
    package func watch(_ wanted: Events) {
        guard let handle, wanted != events else { return }
        events = wanted
        if wanted.isEmpty { uv_poll_stop(handle) } else { uv_poll_start(handle, wanted.rawValue, onReady) }
    }

    /// Ends the watching for good; the descriptor itself stays open. Call before the library closes it.
    package override func close() {
        guard let handle else { return }
        self.handle = nil
        uv_poll_stop(handle)
        dispose(handle)
    }
}

private func onReady(_ handle: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
    guard let data = handle?.pointee.data else { return }
    // Safety: only `FileDescriptorWatcher` starts polling with this callback.
    let watcher = unsafeDowncast(
        Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue(), to: FileDescriptorWatcher.self)
    watcher.action(status < 0 ? [.readable, .writable] : .init(rawValue: events))
}
