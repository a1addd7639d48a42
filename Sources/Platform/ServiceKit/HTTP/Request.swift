package import HTTP
package import HTTPCodec
package import Security

/// A request matched to a route: what a handler sees.
package struct Request: Sendable {
    package var http: HTTPRequest
    /// The template that matched, for example `/order-api/orders/{id}`.
    package let route: String
    /// The verified caller; nil on an open route without a token.
    package let identity: Identity?
    package let requestID: String

    /// A path parameter, percent-decoded. Traps when the template has none of this name.
    package func parameter(_ name: String) -> String { fatalError("skeleton") }
    /// The same as a UUID in lower case.
    /// - Throws: 404, because nothing can live under a malformed id.
    package func uuid(_ name: String) throws -> String { fatalError("skeleton") }
    /// A query parameter, percent-decoded; the first of several.
    package func query(_ name: String) -> String? { fatalError("skeleton") }
    /// A whole number within a range; the default when absent.
    /// - Throws: 422 naming the parameter.
    package func query(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
        fatalError("skeleton")
    }
    package func header(_ name: String) -> String? { http.headers[name] }
    /// The caller.
    /// - Throws: 401 on an open route without a token.
    package func caller() throws -> Identity { fatalError("skeleton") }

    /// The JSON body: content type checked (415), strictly parsed (400: depth, digits, duplicate keys, UTF-8),
    /// decoded (422 naming the field; unknown fields are refused when `T` lists its keys as `CaseIterable`).
    package func json<T: Decodable & Sendable>(_ type: T.Type = T.self) async throws -> T { fatalError("skeleton") }
    /// An `application/x-www-form-urlencoded` body.
    package func form() async throws -> [String: String] { fatalError("skeleton") }
}

/// Who may call a route.
package enum Access: Sendable {
    /// Anybody; a valid token is still read.
    case open
    /// Anybody with a valid token: 401 otherwise.
    case user
    /// A user who has one of these roles: 403 otherwise.
    case roles([String])
    /// Other services of the platform only (a signed identity of role `service`): 403 otherwise.
    case service
    package static let admin = Access.roles(["admin"])
}

/// Routes that share a prefix and an error shape.
package final class RouteGroup {
    package typealias Handler = @Sendable (Request) async throws -> HTTPResponse
    init() {}
    package func get(_ path: String, _ access: Access, _ handler: @escaping Handler) { on(.get, path, access, handler) }
    package func post(_ path: String, _ access: Access, _ handler: @escaping Handler) {
        on(.post, path, access, handler)
    }
    package func put(_ path: String, _ access: Access, _ handler: @escaping Handler) { on(.put, path, access, handler) }
    package func delete(_ path: String, _ access: Access, _ handler: @escaping Handler) {
        on(.delete, path, access, handler)
    }
    package func on(_ method: HTTPMethod, _ path: String, _ access: Access, _ handler: @escaping Handler) {
        fatalError("skeleton")
    }
}
