/// The URL of a collector's signal, taken apart for the HTTP client.
package struct OTLPEndpoint: Equatable, Sendable {
    /// `http://host:port`.
    package let origin: String
    /// The path with its query, `/` at least.
    package let target: String

    /// A base URL: the path of the signal is appended (OTLP exporter specification, endpoint URLs).
    package init?(base text: String, signalPath: String) {
        guard let (origin, target) = OTLPEndpoint.split(text) else { return nil }
        self.origin = origin
        self.target = target + (target.hasSuffix("/") ? "" : "/") + signalPath
    }

    /// Whether its host is the loopback interface.
    var isOnThisMachine: Bool {
        let origin = origin.lowercased()
        return ["http://127.", "http://localhost:", "http://[::1]:"].contains { origin.hasPrefix($0) }
    }

    /// A URL of one signal, used as it is.
    package init?(signal text: String) {
        guard let (origin, target) = OTLPEndpoint.split(text) else { return nil }
        self.origin = origin
        self.target = target
    }

    private static func split(_ text: String) -> (origin: String, target: String)? {
        let scheme = "http://"
        guard text.lowercased().hasPrefix(scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<end]
        guard let address = HostAndPort(String(authority), defaultPort: 80) else { return nil }
        let path = rest[end...].prefix { $0 != "#" }
        let target = path.hasPrefix("/") ? String(path) : "/" + path
        return ("http://\(address)", target)
    }
}

/// A host name or address with its port; IPv6 addresses in brackets.
package struct HostAndPort: Equatable, Sendable, CustomStringConvertible {
    /// Without brackets.
    package let host: String
    package let port: UInt16

    /// - Parameter defaultPort: used when the text has none; without it the port is required.
    package init?(_ text: String, defaultPort: UInt16? = nil) {
        var host = text[...]
        var port = defaultPort
        if let bracket = text.lastIndex(of: "]") {
            guard text.hasPrefix("[") else { return nil }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()) else { return nil }
                port = number
            }
            guard host.contains(":") else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            guard let number = UInt16(text[text.index(after: colon)...]) else { return nil }
            host = text[..<colon]
            port = number
        }
        let isHost = host.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard let port, port > 0, !host.isEmpty, isHost else { return nil }
        self.host = String(host)
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// `k=v,k2=v2` as the OpenTelemetry variables write headers and resource attributes: W3C baggage without properties.
enum KeyValueList {
    private static let maxPairs = 64

    /// Nil when an element has no name, no equals sign, or what a header cannot carry.
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
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
