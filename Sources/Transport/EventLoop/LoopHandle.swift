internal import CLibUV

/// Something that lives in a loop until it is closed: timers, watchers, listeners, connections. The loop closes what
/// is left when it shuts down, so every libuv handle of this module points to one of these.
package class LoopHandle {
    init() {}

    /// Ends it for good; again, this does nothing. Loop thread only.
    package func close() {}
}

/// Allocates a libuv handle. Its owner gives it back through `dispose`.
func makeHandle<Handle>(_ type: Handle.Type) -> UnsafeMutablePointer<Handle> {
    let handle = UnsafeMutableRawPointer.allocate(
        byteCount: MemoryLayout<Handle>.size, alignment: MemoryLayout<Handle>.alignment
    ).initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<Handle>.size)
    return UnsafeMutableRawPointer(handle).bindMemory(to: Handle.self, capacity: 1)
}

/// Closes a libuv handle, and frees its memory when libuv is done with it.
func dispose<Handle>(_ handle: UnsafeMutablePointer<Handle>) {
    handle.asHandle.pointee.data = nil
    uv_close(handle.asHandle, freeHandle)
}

private func freeHandle(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    if let handle { UnsafeMutableRawPointer(handle).deallocate() }
}

extension UnsafeMutablePointer {
    /// Safety: every libuv handle begins with the fields of `uv_handle_t`.
    @inline(__always)
    var asHandle: UnsafeMutablePointer<uv_handle_t> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_handle_t.self)
    }

    /// Safety: called for TCP handles only, which begin with the fields of `uv_stream_t`.
    @inline(__always)
    var asStream: UnsafeMutablePointer<uv_stream_t> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_stream_t.self)
    }
}
