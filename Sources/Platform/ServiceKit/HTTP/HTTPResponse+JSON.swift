internal import FoundationEssentials
package import HTTP
package import HTTPCodec

extension HTTPResponse {
    /// A JSON response.
    /// - Throws: `EncodingError` when the value cannot be written, such as a number that is not finite.
    package static func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> HTTPResponse {
        json(bytes: try JSONText.encode(value), status: status)
    }

    /// A response of JSON text that is already written.
    package static func json(bytes: [UInt8], status: HTTPStatus = .ok) -> HTTPResponse {
        var response = HTTPResponse(status: status, body: .bytes(bytes))
        response.headers.add("content-type", "application/json")
        return response
    }

    /// A response without a body.
    package static func empty(_ status: HTTPStatus = .noContent) -> HTTPResponse { HTTPResponse(status: status) }
}

/// Writes values as JSON: of responses, calls to other services, and events.
package enum JSONText {
    /// The UTF-8 text of a value: equal values give equal bytes (members by name), slashes are not escaped.
    package static func encode(_ value: some Encodable) throws -> [UInt8] { Array(try encoder.encode(value)) }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return encoder
    }()
}
