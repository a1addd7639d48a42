/// An ordered list of header fields; names compare without case (RFC 9110, section 5).
///
/// The fields lie in one byte buffer as they lie on the wire (`name: value CRLF`, one after the other), beside one array
/// of offsets: a parsed head costs two allocations however many fields it has, writing the fields is one copy, and text is
/// made only for the fields that somebody asks for.
package struct HTTPFields: Sendable {
    /// Where one field lies in `bytes`; its line ends where the next one begins.
    struct Entry: Sendable {
        var name: UInt32
        var value: UInt32
        var nameLength: UInt16
        var valueLength: UInt16

        @inline(__always) var start: Int { Int(name) }
        @inline(__always) var nameRange: Range<Int> { Int(name)..<Int(name) &+ Int(nameLength) }
        @inline(__always) var valueRange: Range<Int> { Int(value)..<Int(value) &+ Int(valueLength) }
    }

    /// The most bytes that a name or a value can have.
    package static let maxPartBytes = Int(UInt16.max)
    /// The most bytes that all the fields can have.
    private static let maxBytes = Int(Int32.max)

    var bytes: [UInt8]
    var entries: [Entry]

    package init() {
        bytes = []
        entries = []
    }

    init(bytes: [UInt8], entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }

    /// Bytes of the fields on the wire.
    package var byteCount: Int { bytes.count }

    /// Makes room for fields that are about to be added.
    package mutating func reserveCapacity(fields: Int, bytes count: Int) {
        entries.reserveCapacity(fields)
        bytes.reserveCapacity(count)
    }

    // MARK: Reading

    /// The first value of the field, or nil.
    package subscript(_ name: String) -> String? {
        guard let index = firstIndex(of: name) else { return nil }
        return value(at: index)
    }

    /// Every value of the field, in order.
    package func values(_ name: String) -> [String] {
        entries.indices.filter { isNamed(name, at: $0) }.map(value(at:))
    }

    package func contains(_ name: String) -> Bool { firstIndex(of: name) != nil }

    /// The bytes of the field's first value, without making a `String`; nil when there is no such field.
    package func withValue<R>(_ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R? {
        guard let index = firstIndex(of: name) else { return nil }
        return bytes.span.extracting(entries[index].valueRange).withUnsafeBufferPointer(body)
    }

    package func forEach(_ body: (_ name: String, _ value: String) -> Void) {
        for index in entries.indices { body(name(at: index), value(at: index)) }
    }

    /// Every field in order, as bytes.
    package func forEachBytes(_ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Void)
    {
        for entry in entries {
            bytes.span.extracting(entry.nameRange).withUnsafeBufferPointer { name in
                bytes.span.extracting(entry.valueRange).withUnsafeBufferPointer { value in body(name, value) }
            }
        }
    }

    func firstIndex(of name: String) -> Int? { firstIndex(of: name.utf8.span) }

    func firstIndex(of wanted: Span<UInt8>) -> Int? {
        let bytes = bytes.span
        for index in entries.indices where Self.isNamed(wanted, entries[index], bytes) { return index }
        return nil
    }

    func name(at index: Int) -> String { bytes.span.text(entries[index].nameRange) }
    func value(at index: Int) -> String { bytes.span.text(entries[index].valueRange) }

    private func isNamed(_ name: String, at index: Int) -> Bool {
        Self.isNamed(name.utf8.span, entries[index], bytes.span)
    }

    @inline(__always)
    static func isNamed(_ wanted: Span<UInt8>, _ entry: Entry, _ bytes: Span<UInt8>) -> Bool {
        guard Int(entry.nameLength) == wanted.count else { return false }
        let start = entry.start
        for offset in 0..<wanted.count
        where ByteClass.lower(bytes[start &+ offset]) != ByteClass.lower(wanted[offset]) { return false }
        return true
    }
}

extension HTTPFields: Equatable {
    /// The same fields in the same order; names without case.
    package static func == (a: HTTPFields, b: HTTPFields) -> Bool {
        guard a.count == b.count else { return false }
        for index in a.entries.indices {
            guard a.isNamed(b.name(at: index), at: index), a.value(at: index) == b.value(at: index) else {
                return false
            }
        }
        return true
    }
}

// MARK: - Writing

extension HTTPFields {
    /// Appends a field; spaces and tabs around the value are not part of it and are left out.
    /// - Returns: false, and nothing is added, for a name or value that RFC 9110 forbids (CR, LF, NUL…) or that is longer
    ///   than `maxPartBytes`.
    @discardableResult
    package mutating func add(_ name: String, _ value: String) -> Bool {
        append(name.utf8.span, value.utf8.span)
    }

    /// Appends a field whose value is a decimal number.
    @discardableResult
    package mutating func add(_ name: String, _ value: Int) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Decimal.maxDigits) { buffer in
            append(name.utf8.span, UnsafeBufferPointer(rebasing: buffer[Decimal.write(value, to: buffer)...]).span)
        }
    }

    /// Appends a field whose value is bytes, as `add(_:_:)` does with text.
    @discardableResult
    package mutating func add(_ name: String, bytes value: UnsafeBufferPointer<UInt8>) -> Bool {
        append(name.utf8.span, value.span)
    }

    /// Replaces every field of this name by one at the end.
    /// - Returns: false when the value is illegal; the fields of this name are gone all the same.
    @discardableResult
    package mutating func set(_ name: String, _ value: String) -> Bool {
        remove(name)
        return add(name, value)
    }

    package mutating func remove(_ name: String) {
        let wanted = name.utf8.span
        guard let first = firstIndex(of: name) else { return }
        removeAll(from: first) { entry, bytes in Self.isNamed(wanted, entry, bytes) }
    }

    /// Takes lines out of the buffer as well as out of the list, in one pass, so that replacing a field again and again
    /// does not grow it.
    private mutating func removeAll(from first: Int = 0, where isRemoved: (Entry, Span<UInt8>) -> Bool) {
        var kept = first
        var end = first < entries.count ? entries[first].start : bytes.count
        for index in first..<entries.count {
            var entry = entries[index]
            let start = entry.start
            let next = index &+ 1 < entries.count ? entries[index &+ 1].start : bytes.count
            if isRemoved(entry, bytes.span) { continue }
            if start > end {
                // Towards the start: what lies behind is still where it was.
                bytes.withUnsafeMutableBytes { buffer in
                    UnsafeMutableRawBufferPointer(rebasing: buffer[end..<end &+ (next &- start)])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<next]))
                }
                let gap = UInt32(truncatingIfNeeded: start &- end)
                entry.name -= gap
                entry.value -= gap
            }
            entries[kept] = entry
            kept += 1
            end += next - start
        }
        entries.removeSubrange(kept...)
        bytes.removeSubrange(end...)
    }

    /// Removes every field, and keeps the room that they had.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    @discardableResult
    mutating func append(_ name: Span<UInt8>, _ untrimmed: Span<UInt8>) -> Bool {
        let range = untrimmed.trimmed(0..<untrimmed.count)
        guard !name.isEmpty, name.count <= Self.maxPartBytes, range.count <= Self.maxPartBytes,
            bytes.count < Self.maxBytes, untrimmed.indexOfControl(from: 0, to: untrimmed.count) == untrimmed.count
        else { return false }
        guard name.isToken else { return false }
        if entries.isEmpty {
            if entries.capacity == 0 { entries.reserveCapacity(8) }
            if bytes.capacity == 0 { bytes.reserveCapacity(256) }
        }
        let start = UInt32(truncatingIfNeeded: bytes.count)
        bytes.append(addingCapacity: name.count &+ range.count &+ 4) { line in
            line.append(name)
            line.append(0x3A)
            line.append(0x20)
            line.append(untrimmed.extracting(range))
            line.append(0x0D)
            line.append(0x0A)
        }
        entries.append(
            Entry(
                name: start, value: start &+ UInt32(truncatingIfNeeded: name.count) &+ 2,
                nameLength: UInt16(truncatingIfNeeded: name.count), valueLength: UInt16(truncatingIfNeeded: range.count)
            ))
        return true
    }
}

extension OutputSpan where Element == UInt8 {
    /// Appends a copy of the bytes; there must be room.
    @inline(__always)
    mutating func append(_ source: Span<UInt8>) {
        withUnsafeMutableBufferPointer { buffer, count in
            precondition(buffer.count - count >= source.count, "more bytes than there is room for")
            source.withUnsafeBytes { bytes in
                guard let base = buffer.baseAddress, let from = bytes.baseAddress else { return }
                UnsafeMutableRawPointer(base + count).copyMemory(from: from, byteCount: bytes.count)
            }
            count += source.count
        }
    }
}
