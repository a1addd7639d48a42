internal import Glibc

/// Whom a limit counts: an IPv4 address, or the /64 network of an IPv6 one, because whoever has one address of such a
/// network has all of them.
enum ClientKey {
    private static let networkBytes = 8

    /// - Parameter address: an IP literal as the socket tells it; anything else counts as it is.
    static func of(_ address: String) -> String {
        // Nearly always an IPv4 address, which has no colon.
        let text = address.utf8.span
        guard text.indices.contains(where: { text[$0] == UInt8(ascii: ":") }) else { return address }
        var bytes = in6_addr()
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        return withUnsafeBytes(of: &bytes) { raw in
            // ::ffff:a.b.c.d is an IPv4 client on a socket for both (RFC 4291, section 2.5.5.2).
            if raw[0..<10].allSatisfy({ $0 == 0 }), raw[10] == 0xFF, raw[11] == 0xFF {
                return raw[12..<16].map { "\($0)" }.joined(separator: ".")
            }
            return raw[0..<networkBytes].map { String($0, radix: 16) }.joined(separator: ".") + "/64"
        }
    }
}
