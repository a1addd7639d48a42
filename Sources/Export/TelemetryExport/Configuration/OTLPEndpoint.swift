/// The URL of a collector's signal, taken apart for the HTTP client.
package struct OTLPEndpoint: Equatable, Sendable {
    /// `http://host:port`, or `https`.
    package let origin: String
    /// The path with its query, `/` at least.
    package let target: String

    /// A base URL: the path of the signal is appended to its path, before a query (OTLP exporter specification, endpoint
    /// URLs).
    package init?(base text: String, signalPath: String) {
        guard let (origin, target) = OTLPEndpoint.split(text) else { return nil }
        self.origin = origin
        let path = target.prefix { $0 != "?" }
        self.target = path + (path.hasSuffix("/") ? "" : "/") + signalPath + target[path.endIndex...]
    }

    /// Whether it is spoken to by TLS.
    var isSecure: Bool { origin.hasPrefix("https:") }

    /// Whether its host is the loopback interface.
    var isOnThisMachine: Bool {
        let origin = origin.lowercased()
        return ["127.", "localhost:", "[::1]:"].contains { origin.hasPrefix((isSecure ? "https://" : "http://") + $0) }
    }

    /// A URL of one signal, used as it is.
    package init?(signal text: String) {
        guard let (origin, target) = OTLPEndpoint.split(text) else { return nil }
        self.origin = origin
        self.target = target
    }

    private static func split(_ text: String) -> (origin: String, target: String)? {
        let scheme = text.lowercased().hasPrefix("https://") ? "https://" : "http://"
        guard text.lowercased().hasPrefix(scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<end]
        guard let address = HostAndPort(String(authority), defaultPort: scheme == "https://" ? 443 : 80) else {
            return nil
        }
        let path = rest[end...].prefix { $0 != "#" }
        let target = path.hasPrefix("/") ? String(path) : "/" + path
        return (scheme + "\(address)", target)
    }
}
