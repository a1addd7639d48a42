/// An ordered list of header fields; names compare without case (RFC 9110, section 5).
///
/// One byte buffer and one array of offsets, so that a parsed head costs two allocations however many fields it has;
/// text is made only for the fields that somebody asks for.
package struct HTTPFields: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        var name: UInt32
        var nameLength: UInt16
        var valueLength: UInt16
        var value: UInt32
    }

    @usableFromInline var bytes: [UInt8]
    @usableFromInline var entries: [Entry]

    package init() {
        bytes = []
        entries = []
    }

    init(bytes: [UInt8], entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
    }

    package var count: Int { entries.count }

    /// Makes room for fields that are about to be added.
    package mutating func reserveCapacity(fields: Int, bytes count: Int) {
        entries.reserveCapacity(fields)
        bytes.reserveCapacity(count)
    }

    /// The first value of the field, or nil.
    package subscript(_ name: String) -> String? {
        guard let index = firstIndex(of: name) else { return nil }
        return value(at: index)
    }

    /// Every value of the field, in order.
    package func values(_ name: String) -> [String] {
        entries.indices.filter { matches($0, name) }.map(value(at:))
    }

    package func contains(_ name: String) -> Bool { firstIndex(of: name) != nil }

    /// The bytes of the field's first value, without making a `String`; nil when there is no such field.
    package func withValue<R>(_ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R? {
        guard let index = firstIndex(of: name) else { return nil }
        let entry = entries[index]
        return bytes.withUnsafeBufferPointer { buffer in
            body(.init(rebasing: buffer[Int(entry.value)..<Int(entry.value) + Int(entry.valueLength)]))
        }
    }

    /// Appends a field.
    /// - Returns: false, and nothing is added, for a name or value that RFC 9110 forbids (CR, LF, NUL…).
    @discardableResult
    package mutating func add(_ name: String, _ value: String) -> Bool {
        var name = name
        var value = value
        return name.withUTF8 { name in value.withUTF8 { append(name, $0) } }
    }

    /// Replaces every field of this name.
    @discardableResult
    package mutating func set(_ name: String, _ value: String) -> Bool {
        remove(name)
        return add(name, value)
    }

    package mutating func remove(_ name: String) {
        guard firstIndex(of: name) != nil else { return }
        var kept = entries
        kept.removeAll { entry in Self.equal(bytes, entry, name) }
        entries = kept
    }

    /// Keeps the fields of which the closure says true; it sees the name in lower case, as bytes.
    package mutating func filter(_ isKept: (UnsafeBufferPointer<UInt8>) -> Bool) {
        var name = [UInt8](repeating: 0, count: 64)
        var kept: [Entry] = []
        kept.reserveCapacity(entries.count)
        bytes.withUnsafeBufferPointer { buffer in
            for entry in entries {
                let length = Int(entry.nameLength)
                if length > name.count { name = [UInt8](repeating: 0, count: length) }
                for offset in 0..<length { name[offset] = ByteClass.lower(buffer[Int(entry.name) + offset]) }
                if name.withUnsafeBufferPointer({ isKept(.init(rebasing: $0[..<length])) }) { kept.append(entry) }
            }
        }
        entries = kept
    }

    package func forEach(_ body: (_ name: String, _ value: String) -> Void) {
        for index in entries.indices { body(name(at: index), value(at: index)) }
    }

    // MARK: Parts

    func firstIndex(of name: String) -> Int? {
        var name = name
        return name.withUTF8 { wanted in
            bytes.withUnsafeBufferPointer { buffer in
                entries.firstIndex { entry in Self.equal(buffer, entry, wanted) }
            }
        }
    }

    private func matches(_ index: Int, _ name: String) -> Bool { Self.equal(bytes, entries[index], name) }

    func name(at index: Int) -> String {
        let entry = entries[index]
        return String(decoding: bytes[Int(entry.name)..<Int(entry.name) + Int(entry.nameLength)], as: UTF8.self)
    }

    func value(at index: Int) -> String {
        let entry = entries[index]
        return String(decoding: bytes[Int(entry.value)..<Int(entry.value) + Int(entry.valueLength)], as: UTF8.self)
    }

    private mutating func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !name.isEmpty, name.count <= UInt16.max, value.count <= UInt16.max,
            name.allSatisfy(ByteClass.token.contains), value.allSatisfy(ByteClass.isFieldValue)
        else { return false }
        // White space around a value is not part of it, and would be lost on the way.
        if let first = value.first, first == 0x20 || first == 0x09 { return false }
        if let last = value.last, last == 0x20 || last == 0x09 { return false }
        let start = UInt32(bytes.count)
        bytes.append(contentsOf: name)
        bytes.append(contentsOf: value)
        entries.append(
            Entry(
                name: start, nameLength: UInt16(name.count), valueLength: UInt16(value.count),
                value: start + UInt32(name.count)))
        return true
    }

    private static func equal(_ bytes: [UInt8], _ entry: Entry, _ name: String) -> Bool {
        var name = name
        return name.withUTF8 { wanted in bytes.withUnsafeBufferPointer { equal($0, entry, wanted) } }
    }

    @inline(__always)
    private static func equal(
        _ bytes: UnsafeBufferPointer<UInt8>, _ entry: Entry, _ wanted: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard Int(entry.nameLength) == wanted.count else { return false }
        let start = Int(entry.name)
        for offset in 0..<wanted.count
        where ByteClass.lower(bytes[start + offset]) != ByteClass.lower(wanted[offset]) { return false }
        return true
    }
}

extension HTTPFields: Equatable {
    /// The same fields in the same order; names without case.
    package static func == (a: HTTPFields, b: HTTPFields) -> Bool {
        guard a.count == b.count else { return false }
        for index in a.entries.indices {
            guard a.matches(index, b.name(at: index)), a.value(at: index) == b.value(at: index) else { return false }
        }
        return true
    }
}
