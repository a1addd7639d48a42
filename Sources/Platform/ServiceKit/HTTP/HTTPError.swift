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

    /// 422 about one field.
    /// - Parameter location: where it is, outermost first: `["body", "quantity"]`, `["query", "limit"]`.
    package static func invalid(_ location: [String], _ message: String, type: String) -> HTTPError {
        let name = location.dropFirst().joined(separator: ".")
        return HTTPError(
            .unprocessableContent, "validation", name.isEmpty ? message : "\(name): \(message)",
            fields: [FieldError(location, message, type: type)])
    }

    /// 401: nobody knows who asks.
    static let unauthenticated = HTTPError(.unauthorized, "unauthenticated", "Not authenticated")
}
