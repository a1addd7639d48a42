internal import Telemetry

/// Cuts an OTLP request by its items, when a collector finds it too large: spans, log records or data points. Each part
/// names the resources, scopes and metrics of its own items only. What is cut is a request of ours; bytes that are
/// none end in nil, whatever they are.
package struct OTLPSplitter {
    /// On each level the fields that lead to the items.
    private let fields: [Set<Int>]
    /// The same by their JSON names.
    private let names: [Set<String>]

    package init(_ request: OTLPJSON.Request) {
        switch request {
        case .traces:
            fields = [[1], [2], [2]]
            names = [["resourceSpans"], ["scopeSpans"], ["spans"]]
        case .logs:
            fields = [[1], [2], [2]]
            names = [["resourceLogs"], ["scopeLogs"], ["logRecords"]]
        case .metrics:
            // A gauge, a sum or a histogram of either form has the data points.
            fields = [[1], [2], [2], [5, 7, 9, 10], [1]]
            names = [
                ["resourceMetrics"], ["scopeMetrics"], ["metrics"],
                ["gauge", "sum", "histogram", "exponentialHistogram"], ["dataPoints"],
            ]
        }
    }

    /// A part of a request.
    package struct Part {
        package let bytes: [UInt8]
        /// Spans, log records or data points in it.
        package let itemCount: Int
    }

    /// A request is cut into about so many parts at once; each costs a walk through all of it.
    private static let maxParts = 16

    /// Which items go together.
    /// - Parameter totalBytes: of the request; what is not the items' each part has again.
    private static func ranges(_ sizes: [Int], totalBytes: Int, limitBytes: Int) -> [Range<Int>]? {
        guard sizes.count > 1 else { return nil }
        let items = sizes.reduce(0, +)
        let room = max(limitBytes - (totalBytes - items), limitBytes / 2, items / maxParts)
        var ranges: [Range<Int>] = []
        var (start, byteCount) = (0, 0)
        for (index, size) in sizes.enumerated() {
            if index > start, byteCount + size > room {
                ranges.append(start..<index)
                (start, byteCount) = (index, 0)
            }
            byteCount += size
        }
        if ranges.isEmpty { return [0..<sizes.count / 2, sizes.count / 2..<sizes.count] }
        return ranges + [start..<sizes.count]
    }

    private static func parts(_ ranges: [Range<Int>], _ part: (Range<Int>) -> [UInt8]?) -> [Part]? {
        var parts: [Part] = []
        for range in ranges {
            guard let bytes = part(range) else { return nil }
            parts.append(Part(bytes: bytes, itemCount: range.count))
        }
        return parts
    }

    // MARK: Protobuf

    /// - Parameter limitBytes: of a part, unless its only item is larger.
    /// - Returns: two parts or more, in order; nil when the bytes are no such request or have fewer than two items.
    package func split(protobuf bytes: [UInt8], limitBytes: Int) -> [Part]? {
        var sizes: [Int] = []
        guard measure(bytes[...], level: 0, &sizes),
            let ranges = Self.ranges(sizes, totalBytes: bytes.count, limitBytes: limitBytes)
        else { return nil }
        return Self.parts(ranges) { part(bytes, $0) }
    }

    /// - Returns: false when the bytes make no sense.
    private func measure(_ bytes: ArraySlice<UInt8>, level: Int, _ sizes: inout [Int]) -> Bool {
        var reader = ProtobufReader(bytes)
        while let (number, value) = reader.next() {
            guard case .bytes(let nested) = value, fields[level].contains(number) else { continue }
            if level == fields.count - 1 {
                sizes.append(nested.count)
            } else if !measure(nested, level: level + 1, &sizes) {
                return false
            }
        }
        return !reader.isMalformed
    }

    private func part(_ bytes: [UInt8], _ wanted: Range<Int>) -> [UInt8]? {
        var buffer = ByteBuffer(capacity: bytes.count)
        var index = 0
        guard copy(bytes[...], level: 0, wanted, &index, to: &buffer) == true else { return nil }
        return buffer.array()
    }

    /// - Returns: whether an item was among what was copied; nil when the bytes make no sense.
    private func copy(
        _ bytes: ArraySlice<UInt8>, level: Int, _ wanted: Range<Int>, _ index: inout Int, to buffer: inout ByteBuffer
    ) -> Bool? {
        var hasItems = false
        var reader = ProtobufReader(bytes)
        while let (number, value) = reader.next() {
            guard case .bytes(let nested) = value, fields[level].contains(number) else {
                append(number, value, to: &buffer)
                continue
            }
            if level == fields.count - 1 {
                if wanted.contains(index) {
                    append(number, value, to: &buffer)
                    hasItems = true
                }
                index += 1
                continue
            }
            let start = buffer.count
            let mark = buffer.beginMessage(number, expectedLengthBytes: 3)
            guard let has = copy(nested, level: level + 1, wanted, &index, to: &buffer) else { return nil }
            if has {
                buffer.endMessage(mark)
                hasItems = true
            } else {
                buffer.count = start
            }
        }
        return reader.isMalformed ? nil : hasItems
    }

    private func append(_ number: Int, _ value: ProtobufReader.Value, to buffer: inout ByteBuffer) {
        switch value {
        case .varint(let bits): buffer.appendField(number, varint: bits)
        case .fixed64(let bits): buffer.appendField(number, fixed64: bits)
        case .fixed32(let bits): buffer.appendField(number, fixed32: bits)
        case .bytes(let bytes):
            buffer.appendMessageHead(number, length: bytes.count)
            bytes.withUnsafeBufferPointer { bytes in
                if let start = bytes.baseAddress { buffer.append(start, count: bytes.count) }
            }
        }
    }

    // MARK: JSON

    /// The same for the JSON form, without white space, as this SDK writes it.
    package func split(json bytes: [UInt8], limitBytes: Int) -> [Part]? {
        var all = JSONCopy(bytes: bytes, names: names, wanted: 0..<Int.max)
        guard all.object(level: 0) == true, all.isAtEnd,
            let ranges = Self.ranges(all.sizes, totalBytes: bytes.count, limitBytes: limitBytes)
        else { return nil }
        return Self.parts(ranges) { part(json: bytes, $0) }
    }

    private func part(json bytes: [UInt8], _ wanted: Range<Int>) -> [UInt8]? {
        var copy = JSONCopy(bytes: bytes, names: names, wanted: wanted)
        return copy.object(level: 0) == true && copy.isAtEnd ? copy.output : nil
    }
}

/// Copies a JSON request without the items that are not wanted. Each byte is looked at once.
private struct JSONCopy {
    let bytes: [UInt8]
    let names: [Set<String>]
    let wanted: Range<Int>
    private(set) var output: [UInt8] = []
    /// Of each item.
    private(set) var sizes: [Int] = []
    private var at = 0
    private var item = 0

    init(bytes: [UInt8], names: [Set<String>], wanted: Range<Int>) {
        self.bytes = bytes
        self.names = names
        self.wanted = wanted
        output.reserveCapacity(bytes.count)
    }

    var isAtEnd: Bool { at == bytes.count }

    /// - Returns: whether an item was among what was copied; nil when the bytes make no sense.
    mutating func object(level: Int) -> Bool? {
        guard level < names.count else { return nil }
        return elements(from: "{", to: "}") { copy in
            let start = copy.at
            guard copy.skipText() else { return nil }
            let name = String(decoding: copy.bytes[(start + 1)..<(copy.at - 1)], as: UTF8.self)
            guard copy.take(":") else { return nil }
            copy.output += copy.bytes[start..<copy.at]
            guard copy.names[level].contains(name) else { return copy.raw() ? .kept : nil }
            let has = copy.peek == UInt8(ascii: "[") ? copy.list(level: level) : copy.object(level: level + 1)
            return has.map { $0 ? .item : .left }
        }
    }

    private mutating func list(level: Int) -> Bool? {
        elements(from: "[", to: "]") { copy in
            if level < copy.names.count - 1 { return copy.object(level: level + 1).map { $0 ? .item : .left } }
            copy.item += 1
            let start = copy.at
            guard copy.raw() else { return nil }
            copy.sizes.append(copy.at - start)
            return copy.wanted.contains(copy.item - 1) ? .item : .left
        }
    }

    private enum Element {
        /// Belongs to the items, which decide whether it stays.
        case kept
        case item
        /// To be left out.
        case left
    }

    /// What stands between two brackets, without what is left out.
    private mutating func elements(
        from open: Unicode.Scalar, to close: Unicode.Scalar, _ element: (inout JSONCopy) -> Element?
    ) -> Bool? {
        guard take(open) else { return nil }
        output.append(UInt8(ascii: open))
        var hasItems = false
        var hasOutput = false
        var isFirst = true
        while peek != UInt8(ascii: close) {
            if !isFirst, !take(",") { return nil }
            let start = output.count
            if hasOutput { output.append(UInt8(ascii: ",")) }
            guard let result = element(&self) else { return nil }
            switch result {
            case .item: (hasItems, hasOutput) = (true, true)
            case .kept: hasOutput = true
            case .left: output.removeLast(output.count - start)
            }
            isFirst = false
        }
        at += 1
        output.append(UInt8(ascii: close))
        return hasItems
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: scalar) else { return false }
        at += 1
        return true
    }

    private mutating func skipText() -> Bool {
        guard take("\"") else { return false }
        while let byte = peek {
            at += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") { at += 1 }
        }
        return false
    }

    /// Copies one value as it is.
    private mutating func raw() -> Bool {
        let start = at
        var depth = 0
        repeat {
            switch peek {
            case UInt8(ascii: "\""): guard skipText() else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { return false }
                depth -= 1
                at += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { return false }
                at += 1
            case nil: return false
            default:
                while let byte = peek, !Self.ends.contains(byte) { at += 1 }
            }
        } while depth > 0
        output += bytes[start..<min(at, bytes.count)]
        return true
    }

    /// What ends a number or a word.
    private static let ends: Set<UInt8> = [0x2C, 0x5D, 0x7D, 0x3A, 0x22, 0x5B, 0x7B]
}
