internal import Telemetry

/// `k=v,k2=v2` as the OpenTelemetry variables write headers and resource attributes: W3C baggage without properties.
enum KeyValueList {
    private static let maxPairs = 64

    /// Nil when an element has no name, no equals sign, or a control character in it.
    static func parse(_ text: String) -> [(String, String)]? {
        var result: [(String, String)] = []
        for element in text.split(separator: ",") {
            guard let equals = element.firstIndex(of: "=") else { return nil }
            let name = trim(element[..<equals])
            let value = decode(trim(element[element.index(after: equals)...]))
            guard !name.isEmpty, result.count < maxPairs, (name + value).unicodeScalars.allSatisfy({ $0.value >= 0x20 })
            else { return nil }
            result.append((name, value))
        }
        return result
    }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    private static func decode(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = Hexadecimal.value(bytes[index + 1]), let low = Hexadecimal.value(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
