/// One element of an `Accept` or `Accept-Encoding` header with its parameters (RFC 9110, section 12.5).
struct MediaRange {
    /// In lower case.
    let type: String
    /// The names in lower case.
    let parameters: [String: String]
    /// 0 to 1; 1 when it is not given, 0 when it is not a number.
    let quality: Double

    /// Elements, and parameters of one, that are looked at; no scraper sends more.
    private static let maxElements = 32
    private static let maxHeaderBytes = 4096

    /// The elements that can be read, in their order; of a header without end, those at the beginning.
    static func parse(_ header: String) -> [MediaRange] {
        split(header.utf8.prefix(maxHeaderBytes), at: UInt8(ascii: ",")).compactMap { element in
            let parts = split(element, at: UInt8(ascii: ";")).map(trim)
            guard let type = parts.first, !type.isEmpty else { return nil }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
                parameters[text(trim(part[..<equals])).lowercased()] = value(trim(part[part.index(after: equals)...]))
            }
            return MediaRange(
                type: text(type).lowercased(), parameters: parameters, quality: quality(parameters["q"]))
        }
    }

    private static func quality(_ text: String?) -> Double {
        guard let text else { return 1 }
        guard let value = Double(text), (0...1).contains(value) else { return 0 }
        return value
    }

    private typealias Bytes = Substring.UTF8View

    /// Splits outside of quoted strings.
    private static func split(_ bytes: Bytes, at separator: UInt8) -> [Bytes] {
        var parts: [Bytes] = []
        var start = bytes.startIndex
        var isQuoted = false
        var isEscaped = false
        for index in bytes.indices where parts.count < maxElements {
            let byte = bytes[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == separator, !isQuoted {
                parts.append(bytes[start..<index])
                start = bytes.index(after: index)
            }
        }
        if parts.count < maxElements { parts.append(bytes[start...]) }
        return parts
    }

    private static func trim(_ bytes: Bytes) -> Bytes {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var rest = bytes.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return rest
    }

    /// A token as it is, a quoted string without its quotes.
    private static func value(_ bytes: Bytes) -> String {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") else {
            return text(bytes)
        }
        return text(bytes.dropFirst().dropLast())
    }

    private static func text(_ bytes: Bytes) -> String { String(decoding: bytes, as: UTF8.self) }
}
