package import HTTP
package import HTTPCodec

/// An error that a client is told about; the router writes it in the shape of its route group.
package struct HTTPError: Error, Sendable {
    package var status: HTTPStatus
    /// Stable, for programs: `stock.insufficient`.
    package var code: String
    /// For people: what was wrong and what to do. No secrets, no personal data, no internals.
    package var message: String
    package var fields: [FieldError]
    package var headers: [(name: String, value: String)] = []

    package struct FieldError: Sendable {
        package var location: [String]  // ["body", "quantity"]
        package var message: String
        package var type: String  // "greater_than"
        package init(_ location: [String], _ message: String, type: String) {
            self.location = location
            self.message = message
            self.type = type
        }
    }

    package init(_ status: HTTPStatus, _ code: String, _ message: String, fields: [FieldError] = []) {
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
    }
}

/// How errors look under a prefix.
package enum ErrorShape: Sendable {
    /// RFC 9457 problem details with the trace id.
    case problem
    /// `{"detail": …}`; validation errors as a list, as FastAPI writes them.
    case detail
    /// `{"success": false, "message": …}`
    case marimo
}

extension HTTPResponse {
    /// A JSON response.
    package static func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> HTTPResponse {
        fatalError("skeleton")
    }
    package static func empty(_ status: HTTPStatus = .noContent) -> HTTPResponse { HTTPResponse(status: status) }
}
