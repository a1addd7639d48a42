internal import Telemetry

/// The query of a request, and the durations that are written in one.
struct StandInParameters: Sendable {
    private let values: [String: String]

    init(_ query: Substring) {
        var values: [String: String] = [:]
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[Self.decode(pair[0])] = pair.count > 1 ? Self.decode(pair[1]) : ""
        }
        self.values = values
    }

    init(_ query: String) { self.init(query[...]) }

    subscript(_ name: String) -> String? { values[name] }
    func has(_ name: String) -> Bool { values[name] != nil }

    /// What a percent-encoded text stands for; a plus in a query is a space, which none of ours has.
    static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let high = Hexadecimal.value(rest[rest.startIndex]),
                let low = Hexadecimal.value(rest[rest.index(after: rest.startIndex)])
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `10s`, `5m`, `100ms`, `1h` as Go writes them.
    static func milliseconds(_ text: String) -> Int? {
        for (suffix, factor) in [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)] where text.hasSuffix(suffix)
        {
            guard let number = Double(text.dropLast(suffix.count)), number >= 0 else { continue }
            return Int(number * Double(factor))
        }
        return nil
    }
}
