internal import Glibc

/// A growing buffer of bytes with one owner: what log lines, exposition text and protobuf messages are encoded into.
///
/// Appending checks the capacity and copies; nothing else. Reuse one with `removeAll()` and encoding allocates
/// nothing in the steady state.
package struct ByteBuffer: ~Copyable, @unchecked Sendable {
    // Safety (`@unchecked Sendable`): the storage is reachable only through this value, which cannot be copied.
    /// The first byte; valid until the next append.
    package private(set) var base: UnsafeMutablePointer<UInt8>
    /// The bytes in use.
    package var count = 0
    /// Whether a text that was appended under watch may hold a secret (see `PatternRedaction`).
    var isSuspicious = false
    /// The bytes allocated.
    package private(set) var capacity: Int

    /// An empty buffer with room for `capacity` bytes.
    package init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// Forgets the content and keeps the storage.
    @inlinable @inline(__always)
    package mutating func removeAll() { count = 0 }

    /// Gives storage above `limit` bytes back to the allocator; the content must have been removed.
    package mutating func shrink(to limit: Int) {
        guard capacity > limit, count <= limit else { return }
        reallocate(limit)
    }

    /// Makes room for `additional` more bytes.
    @inlinable @inline(__always)
    package mutating func reserve(_ additional: Int) {
        if capacity &- count < additional { grow(additional) }
    }

    /// Doubles the storage, or more when that is not enough.
    @inline(never)
    package mutating func grow(_ additional: Int) {
        reallocate(max(capacity * 2, count + additional))
    }

    private mutating func reallocate(_ newCapacity: Int) {
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = newCapacity
    }

    /// Appends one byte.
    @inlinable @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        base[count] = byte
        count &+= 1
    }

    /// Appends `length` bytes.
    @inlinable @inline(__always)
    package mutating func append(_ bytes: UnsafePointer<UInt8>, count length: Int) {
        reserve(length)
        memcpy(base + count, bytes, length)
        count &+= length
    }

    /// Appends bytes.
    @inlinable
    package mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { source in
            if let address = source.baseAddress { append(address, count: source.count) }
        }
    }

    /// Appends the UTF-8 of a literal.
    @inlinable @inline(__always)
    package mutating func append(_ text: StaticString) { append(text.utf8Start, count: text.utf8CodeUnitCount) }

    /// Appends the UTF-8 of `text` as it is.
    @inlinable @inline(__always)
    package mutating func append(_ text: String) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { source in
            if let address = source.baseAddress { append(address, count: source.count) }
        }
        if done == nil { for byte in text.utf8 { append(byte) } }
    }

    /// Appends the UTF-8 of a literal where room for it is reserved.
    @inlinable @inline(__always)
    package mutating func appendReserved(_ text: StaticString) {
        memcpy(base + count, text.utf8Start, text.utf8CodeUnitCount)
        count &+= text.utf8CodeUnitCount
    }

    /// Appends one byte where room for it is reserved.
    @inlinable @inline(__always)
    package mutating func appendReserved(_ byte: UInt8) {
        base[count] = byte
        count &+= 1
    }

    /// The bytes for reading; they must not escape.
    @inlinable
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// A copy of the content.
    package func array() -> [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }

    /// A copy of the content as text.
    package func string() -> String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }
}

extension ByteBuffer {
    /// Removes bytes from the front; the rest moves.
    package mutating func removeFirst(_ length: Int) {
        let rest = count - length
        if rest > 0 { memmove(base, base + length, rest) }
        count = rest
    }
}
