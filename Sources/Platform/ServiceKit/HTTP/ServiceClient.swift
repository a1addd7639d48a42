package import HTTP
package import HTTPCodec
package import Security

/// Calls other services of the platform by name. Identity is signed for the hop; trace, request id and deadline of
/// the current task go along.
package struct ServiceClient: Sendable {
    init() { fatalError("skeleton") }

    /// Whose identity the call carries.
    package enum Caller: Sendable {
        case user(Identity)
        /// The calling service itself, with role `service`.
        case service
    }

    /// - Parameters: path: with query, percent-encoded. - template: the route for spans and metrics.
    /// - Throws: `ServiceCallError` unless the status is 2xx.
    package func get<T: Decodable & Sendable>(
        _ service: String, _ path: String, template: String, as caller: Caller, _ type: T.Type = T.self
    ) async throws -> T { fatalError("skeleton") }

    package func post<T: Decodable & Sendable>(
        _ service: String, _ path: String, template: String, as caller: Caller, body: some Encodable & Sendable,
        idempotencyKey: String? = nil, _ type: T.Type = T.self
    ) async throws -> T { fatalError("skeleton") }

    /// Sends a request as it is (the gateway's proxy); any status is returned.
    package func forward(_ request: HTTPRequest, to service: String, template: String) async throws -> HTTPResponse {
        fatalError("skeleton")
    }
}

/// A call to another service failed. `status` is nil when no answer came.
package struct ServiceCallError: Error, Sendable {
    package let service: String
    package let status: HTTPStatus?
    /// The other service's message (`detail` or `message` of its error), or what the transport said.
    package let message: String
}
