/// What an intermediary does with header fields: most pass on as they are, so that runs of lines are copied whole and
/// nothing is allocated for a single field.
extension HTTPFields {
    /// The fields for a message that is passed on: without those that speak about one connection only, without what
    /// `Connection` lists (RFC 9110, section 7.6.1), and without those that the closure refuses.
    /// - Parameters:
    ///   - spareFields, spareBytes: room for what is about to be added.
    ///   - isKept: sees each name as it was sent; `Span.isName` compares it without case.
    package func passedOn(
        spareFields: Int = 0, spareBytes: Int = 0, where isKept: (Span<UInt8>) -> Bool = { _ in true }
    ) -> HTTPFields {
        let listed = connectionOptions()
        var passed = HTTPFields()
        passed.reserveCapacity(fields: entries.count + spareFields, bytes: bytes.count + spareBytes)
        bytes.withUnsafeBufferPointer { buffer in
            let source = buffer.span
            // Lines that follow one another and are all kept.
            var run = 0..<0
            var gap = 0
            for index in entries.indices {
                var entry = entries[index]
                let line = entry.start..<endOfLine(index)
                let name = source.extracting(entry.nameRange)
                if Self.isHopByHop(name) || listed.contains(where: { source.isSameName($0, entry.nameRange) })
                    || !isKept(name)
                {
                    continue
                }
                if line.lowerBound > run.upperBound {
                    passed.bytes.append(contentsOf: buffer[run])
                    gap += line.lowerBound - run.upperBound
                    run = line
                } else {
                    run = run.lowerBound..<line.upperBound
                }
                entry.name -= UInt32(truncatingIfNeeded: gap)
                entry.value -= UInt32(truncatingIfNeeded: gap)
                passed.entries.append(entry)
            }
            passed.bytes.append(contentsOf: buffer[run])
        }
        return passed
    }

    /// Removes what speaks about one connection only, and what `Connection` lists (RFC 9110, section 7.6.1).
    package mutating func removeHopByHop() { self = passedOn() }

    /// Appends those fields of another list whose names are not here yet.
    package mutating func addMissing(_ others: HTTPFields) {
        let source = others.bytes.span
        if others.entries.allSatisfy({ firstIndex(of: source.extracting($0.nameRange)) == nil }) {
            let offset = UInt32(truncatingIfNeeded: bytes.count)
            bytes.append(contentsOf: others.bytes)
            entries.append(
                contentsOf: others.entries.lazy.map { entry in
                    var entry = entry
                    entry.name += offset
                    entry.value += offset
                    return entry
                })
            return
        }
        for entry in others.entries where firstIndex(of: source.extracting(entry.nameRange)) == nil {
            append(source.extracting(entry.nameRange), source.extracting(entry.valueRange))
        }
    }

    private func endOfLine(_ index: Int) -> Int {
        index &+ 1 < entries.count ? entries[index &+ 1].start : bytes.count
    }

    /// The names that `Connection` lists, where they lie, but for those that are never passed on anyway: nearly always
    /// none.
    private func connectionOptions() -> [Range<Int>] {
        var listed: [Range<Int>] = []
        let source = bytes.span
        for entry in entries where entry.nameLength == 10 && source.equals("connection", entry.nameRange) {
            var position = entry.valueRange.lowerBound
            let end = entry.valueRange.upperBound
            while position < end {
                let start = position
                while position < end, source[position] != 0x2C { position &+= 1 }
                let option = source.trimmed(start..<position)
                position &+= 1
                if !option.isEmpty, !source.equals("close", option), !source.equals("keep-alive", option) {
                    listed.append(option)
                }
            }
        }
        return listed
    }

    private static func isHopByHop(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 2: name.isName("te")
        case 7: name.isName("trailer") || name.isName("upgrade")
        case 10: name.isName("connection") || name.isName("keep-alive")
        case 16: name.isName("proxy-connection")
        case 17: name.isName("transfer-encoding")
        case 18: name.isName("proxy-authenticate")
        case 19: name.isName("proxy-authorization")
        default: false
        }
    }
}

extension Span where Element == UInt8 {
    /// Whether these bytes are a field's name.
    /// - Parameter name: in lower case.
    package func isName(_ name: StaticString) -> Bool { equals(name, 0..<count) }

    /// Whether these bytes are a field's name that begins so.
    /// - Parameter prefix: in lower case.
    package func isName(beginningWith prefix: StaticString) -> Bool {
        count >= prefix.utf8CodeUnitCount && equals(prefix, 0..<prefix.utf8CodeUnitCount)
    }

    /// Whether two ranges hold the same name, without case.
    fileprivate func isSameName(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
        guard a.count == b.count else { return false }
        for offset in 0..<a.count
        where ByteClass.lower(self[a.lowerBound &+ offset]) != ByteClass.lower(self[b.lowerBound &+ offset]) {
            return false
        }
        return true
    }
}
