internal import Glibc
internal import HTTPCodec

/// Which fields pass the gateway: no client may say who it is or where it comes from, and what belongs to one
/// connection ends with it (RFC 9110, section 7.6.1). Names are compared as bytes; nothing is allocated for a field.
enum HeaderPolicy {
    /// Takes out what a client must not tell a service. The token stays behind too: the signed identity replaces it.
    static func cleanRequest(_ fields: inout HTTPFields) {
        fields.removeHopByHop()
        fields.filter { !isReserved($0) }
    }

    /// Takes out of a service's answer what is not for clients or is written anew for them.
    /// - Parameter keepsLength: the answer to HEAD tells the length of the one that GET would have.
    static func cleanResponse(_ fields: inout HTTPFields, keepsLength: Bool) {
        fields.removeHopByHop()
        fields.filter { name in
            switch name.count {
            case 4: return !name.equals("date")
            case 6: return !name.equals("server")
            case 14: return keepsLength || !name.equals("content-length")
            default: return !name.starts(with: "x-vitrine-")
            }
        }
    }

    /// Names that only the gateway itself may set, and those that are about its own connection.
    private static func isReserved(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        switch name.count {
        case 4: return name.equals("host")
        case 5: return name.equals("admin")
        case 6: return name.equals("expect")
        case 7: return name.equals("x-admin") || name.equals("baggage") || name.equals("x-roles")
        case 9: return name.equals("x-user-id") || name.equals("forwarded") || name.equals("x-real-ip")
        case 10: return name.equals("tracestate")
        case 11: return name.equals("traceparent")
        case 12: return name.equals("x-request-id") || name.equals("x-company-id")
        case 13: return name.equals("authorization") || name.starts(with: "x-forwarded-")
        case 14: return name.equals("content-length")
        case 18 where name.equals("x-request-deadline"): return true
        default: return name.starts(with: "x-vitrine-") || name.starts(with: "x-forwarded-")
        }
    }
}

/// Fields that every answer of the gateway carries, whoever wrote it.
struct SecurityHeaders: Sendable {
    let fields: [(name: String, value: String)]

    private static let always: [(name: String, value: String)] = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ]

    /// - Parameter isEncrypted: whether clients come over TLS; only then may HSTS be said (RFC 6797, section 7.2).
    init(isEncrypted: Bool) {
        fields =
            Self.always
            + (isEncrypted ? [("strict-transport-security", "max-age=31536000; includeSubDomains")] : [])
    }

    /// A service that says something itself knows better: a page of documentation needs its own policy.
    func add(to headers: inout HTTPFields) {
        for field in fields where !headers.contains(field.name) { headers.add(field.name, field.value) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    @inline(__always)
    fileprivate func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && starts(with: text)
    }

    @inline(__always)
    fileprivate func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount, let baseAddress else { return false }
        return memcmp(baseAddress, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}
