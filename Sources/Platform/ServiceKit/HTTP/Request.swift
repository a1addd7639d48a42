package import HTTP
internal import HTTPCodec
package import Security
internal import Values

/// A request matched to a route: what a handler sees.
package struct Request: Sendable {
    package var http: HTTPRequest
    /// The template that matched, for example `/order-api/orders/{id}`.
    package let route: String
    /// The verified caller; nil on an open route without a token.
    package let identity: Identity?
    package let requestID: String
    /// The largest body that is read.
    package let maxBodyBytes: Int
    private let parameters: [PathParameter]

    init(
        http: HTTPRequest, route: String, identity: Identity?, requestID: String, parameters: [PathParameter],
        maxBodyBytes: Int
    ) {
        self.http = http
        self.route = route
        self.identity = identity
        self.requestID = requestID
        self.parameters = parameters
        self.maxBodyBytes = maxBodyBytes
    }

    // MARK: Path and query

    /// A path parameter, percent-decoded. Traps when the template has none of this name.
    package func parameter(_ name: String) -> String {
        guard let parameter = parameters.first(where: { $0.name == name }) else {
            preconditionFailure("the route \(route) has no parameter {\(name)}")
        }
        let segments = http.path.split(separator: "/", maxSplits: parameter.segment + 1)
        guard parameter.segment < segments.count else { return "" }
        // The router let only well-formed text through.
        return PercentEncoding.decode(segments[parameter.segment].prefix { $0 != "/" }, plusIsSpace: false) ?? ""
    }

    /// The same as a UUID in lower case.
    /// - Throws: 404, because nothing can live under a malformed id.
    package func uuid(_ name: String) throws -> String {
        guard let id = Identifier.normalized(parameter(name)) else {
            throw HTTPError(.notFound, "not_found", "there is nothing under this id")
        }
        return id
    }

    /// A query parameter, percent-decoded; the first of several.
    package func query(_ name: String) -> String? {
        guard let query = http.query else { return nil }
        return FormFields.value(of: name, in: query)
    }

    /// A whole number within a range; the default when absent.
    /// - Throws: 422 naming the parameter.
    package func query(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = query(name) else { return value }
        guard let number = Int(text) else {
            throw HTTPError.invalid(["query", name], "Input should be a valid integer", type: "int_parsing")
        }
        guard range.contains(number) else {
            throw HTTPError.invalid(
                ["query", name],
                number < range.lowerBound
                    ? "Input should be greater than or equal to \(range.lowerBound)"
                    : "Input should be less than or equal to \(range.upperBound)",
                type: number < range.lowerBound ? "greater_than_equal" : "less_than_equal")
        }
        return number
    }

    /// Every parameter of the query, percent-decoded.
    /// - Throws: 400 for what is malformed, and for a parameter that is given twice: which one would count?
    package func queryParameters() throws -> [String: String] {
        guard let query = http.query else { return [:] }
        return try FormFields.parse(Array(query.utf8), of: "query")
    }

    package func header(_ name: String) -> String? { http.headers[name] }

    /// The caller.
    /// - Throws: 401 on an open route without a token.
    package func caller() throws -> Identity {
        guard let identity else { throw HTTPError.unauthenticated }
        return identity
    }

    // MARK: Body

    /// The JSON body: content type checked (415), strictly parsed (400: depth, digits, duplicate keys, UTF-8),
    /// decoded (422 naming the field; unknown fields are refused when `T` is `StrictKeys`).
    package func json<T: Decodable & Sendable>(_ type: T.Type = T.self) async throws -> T {
        try requireContentType("application/json")
        return try JSONBody.decode(type, from: try await http.body.collect(upTo: maxBodyBytes))
    }

    /// The JSON body as it came, content type and syntax checked as `json` does: for those who decode it themselves.
    /// - Throws: 415, 400, 413.
    package func jsonText() async throws -> [UInt8] {
        try requireContentType("application/json")
        let bytes = try await http.body.collect(upTo: maxBodyBytes)
        try JSONBody.check(bytes)
        return bytes
    }

    /// An `application/x-www-form-urlencoded` body.
    /// - Throws: 415 for another content type, 400 for what is malformed or ambiguous.
    package func form() async throws -> [String: String] {
        try requireContentType("application/x-www-form-urlencoded")
        return try FormFields.parse(try await http.body.collect(upTo: maxBodyBytes))
    }

    private func requireContentType(_ expected: String) throws {
        guard let given = http.headers["content-type"] else {
            throw HTTPError(.unsupportedMediaType, "unsupported_media_type", "send Content-Type: \(expected)")
        }
        let parts = given.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
        let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }?.dropFirst(8)
        let isUTF8 = charset.map { ["utf-8", "\"utf-8\"", "utf8"].contains(String($0)) } ?? true
        guard parts.first == expected, isUTF8 else {
            throw HTTPError(
                .unsupportedMediaType, "unsupported_media_type", "the body must be \(expected) in UTF-8")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text.lowercased()
    }
}
