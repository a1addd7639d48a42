internal import HTTPCodec

/// Which fields pass the gateway: no client may say who it is or where it comes from, and what belongs to one
/// connection ends with it (RFC 9110, section 7.6.1). Names are compared as bytes; nothing is allocated for a field.
enum HeaderPolicy {
    /// What a service gets of a client's fields: nothing that only the gateway may tell it. The token stays behind too:
    /// the signed identity replaces it.
    /// - Parameters: spareFields, spareBytes: room for what the gateway adds.
    static func request(_ fields: HTTPFields, spareFields: Int, spareBytes: Int) -> HTTPFields {
        fields.passedOn(spareFields: spareFields, spareBytes: spareBytes) { !isReserved($0) }
    }

    /// What a client gets of a service's fields: nothing that is not for clients, or is written anew for them.
    /// - Parameters: keepsLength: the answer to HEAD tells the length of the one that GET would have.
    ///   - spareFields, spareBytes: room for what the gateway adds.
    static func response(_ fields: HTTPFields, keepsLength: Bool, spareFields: Int, spareBytes: Int) -> HTTPFields {
        fields.passedOn(spareFields: spareFields, spareBytes: spareBytes) { name in
            switch name.count {
            case 4: !name.isName("date")
            case 6: !name.isName("server")
            case 14: keepsLength || !name.isName("content-length")
            // The gateway tells these itself.
            case 10: !name.isName("x-trace-id") && !name.isName(beginningWith: "x-vitrine-")
            case 12: !name.isName("x-request-id") && !name.isName(beginningWith: "x-vitrine-")
            default: !name.isName(beginningWith: "x-vitrine-")
            }
        }
    }

    /// Names that only the gateway itself may set, and those that are about its own connection.
    private static func isReserved(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 4: name.isName("host")
        case 5: name.isName("admin")
        case 6: name.isName("expect")
        case 7: name.isName("x-admin") || name.isName("baggage") || name.isName("x-roles")
        case 9: name.isName("x-user-id") || name.isName("forwarded") || name.isName("x-real-ip")
        case 10: name.isName("tracestate") || name.isName("x-vitrine-")
        case 11: name.isName("traceparent") || name.isName(beginningWith: "x-vitrine-")
        case 12:
            name.isName("x-request-id") || name.isName("x-company-id") || name.isName(beginningWith: "x-vitrine-")
        case 13: name.isName("authorization") || isReservedFamily(name)
        case 14: name.isName("content-length") || isReservedFamily(name)
        case 18: name.isName("x-request-deadline") || isReservedFamily(name)
        default: isReservedFamily(name)
        }
    }

    private static func isReservedFamily(_ name: Span<UInt8>) -> Bool {
        name.isName(beginningWith: "x-vitrine-") || name.isName(beginningWith: "x-forwarded-")
    }
}

/// Fields that every answer of the gateway carries, whoever wrote it.
struct SecurityHeaders: Sendable {
    let fields: HTTPFields

    /// - Parameter isEncrypted: whether clients come over TLS; only then may HSTS be said (RFC 6797, section 7.2).
    init(isEncrypted: Bool) {
        var fields = HTTPFields()
        fields.add("x-content-type-options", "nosniff")
        fields.add("x-frame-options", "DENY")
        fields.add("referrer-policy", "no-referrer")
        fields.add("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        if isEncrypted { fields.add("strict-transport-security", "max-age=31536000; includeSubDomains") }
        self.fields = fields
    }

    /// A service that says something itself knows better: a page of documentation needs its own policy.
    func add(to headers: inout HTTPFields) { headers.addMissing(fields) }
}
