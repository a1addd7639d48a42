/// A peer, as the URL of a client names it: `http://host[:port]`, or `https`, nothing more.
struct HTTPEndpoint: Hashable, Sendable {
    /// A name or an IP literal, without brackets.
    let host: String
    let port: Int
    /// Whether it is spoken to by TLS.
    let isSecure: Bool
    /// What goes into the `Host` field.
    let authority: String
    /// What stands before a target in a full URL.
    let url: String

    private static let maxHostBytes = 255

    /// - Throws: `HTTPClientError.invalidURL`, without what could be a password in it.
    init(_ url: String) throws(HTTPClientError) {
        guard let endpoint = HTTPEndpoint(parsing: url) else {
            throw .invalidURL(url.contains("@") ? "http://…@…" : String(url.prefix(Self.maxHostBytes)))
        }
        self = endpoint
    }

    private init?(parsing url: String) {
        guard url.utf8.count <= Self.maxHostBytes + 16,
            let scheme = ["http", "https"].first(where: {
                url.prefix($0.count + 3).lowercased() == $0 + "://"
            })
        else { return nil }
        isSecure = scheme == "https"
        let usualPort = isSecure ? 443 : 80
        var rest = url.dropFirst(scheme.count + 3)
        if rest.last == "/" { rest.removeLast() }
        let host: Substring
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
            guard !host.isEmpty, host.utf8.allSatisfy(Self.isAddressByte), host.contains(":") else { return nil }
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            host = rest[..<end]
            rest = rest[end...]
            guard !host.isEmpty, host.utf8.allSatisfy(Self.isNameByte) else { return nil }
        }
        var port = usualPort
        if rest.first == ":" {
            let digits = rest.dropFirst()
            guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(digits), (1...65_535).contains(number)
            else { return nil }
            port = number
        } else if !rest.isEmpty {
            return nil
        }
        self.host = host.lowercased()
        self.port = port
        let name = host.contains(":") ? "[\(self.host)]" : self.host
        authority = port == usualPort ? name : "\(name):\(port)"
        self.url = scheme + "://" + authority
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }
}
