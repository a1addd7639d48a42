internal import FoundationEssentials
internal import HTTPCodec

/// Reads JSON that came from outside: checked strictly (400 with the place), then decoded (422 naming the field).
enum JSONBody {
    /// - Throws: `HTTPError`.
    static func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws -> T {
        let keys = try check(bytes)
        if let strict = type as? any StrictKeys.Type { try refuseUnknown(keys, strict.allowedKeys) }
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw HTTPError.undecodable(error)
        }
    }

    /// Checks the syntax.
    /// - Returns: the keys of the outermost object.
    /// - Throws: `HTTPError` 400 with the place.
    @discardableResult
    static func check(_ bytes: [UInt8]) throws -> [String] {
        do throws(JSONSyntaxError) {
            return try JSONValidator.validate(bytes)
        } catch {
            throw HTTPError(
                .badRequest, "json.malformed", "JSON error at byte \(error.offset): \(error.reason.rawValue)")
        }
    }

    private static func refuseUnknown(_ keys: [String], _ allowed: [String]) throws {
        let unknown = keys.filter { !allowed.contains($0) }
        guard !unknown.isEmpty else { return }
        // A few names tell enough; a body of a million must not come back.
        let fields = unknown.prefix(10).map {
            HTTPError.FieldError(["body", $0], "Extra inputs are not permitted", type: "extra_forbidden")
        }
        throw HTTPError(
            .unprocessableContent, "validation", "\(unknown[0]): Extra inputs are not permitted", fields: Array(fields))
    }

    // Safety: `JSONDecoder` and `JSONEncoder` keep nothing between calls once they are configured.
    private static let decoder = JSONDecoder()
}

extension HTTPError {
    /// What a field should have been, in the words of FastAPI's validation errors.
    static func undecodable(_ error: DecodingError) -> HTTPError {
        switch error {
        case .keyNotFound(let key, let context):
            invalid(location(context.codingPath + [key]), "Field required", type: "missing")
        case .valueNotFound(let type, let context):
            invalid(location(context.codingPath), message(for: type), type: Self.type(for: type))
        case .typeMismatch(let type, let context):
            invalid(location(context.codingPath), message(for: type), type: Self.type(for: type))
        case .dataCorrupted(let context):
            invalid(location(context.codingPath), context.debugDescription, type: "value_error")
        @unknown default:
            HTTPError(.unprocessableContent, "validation", "the body cannot be read")
        }
    }

    private static func location(_ path: [any CodingKey]) -> [String] {
        ["body"] + path.map { $0.intValue.map(String.init) ?? $0.stringValue }
    }

    private static func message(for type: Any.Type) -> String {
        switch Self.type(for: type) {
        case "string_type": "Input should be a valid string"
        case "int_type": "Input should be a valid integer"
        case "float_type": "Input should be a valid number"
        case "bool_type": "Input should be a valid boolean"
        case "list_type": "Input should be a valid list"
        default: "Input should be a valid object"
        }
    }

    private static func type(for type: Any.Type) -> String {
        if type == String.self { return "string_type" }
        if type is any BinaryInteger.Type { return "int_type" }
        if type is any BinaryFloatingPoint.Type || type == Decimal.self { return "float_type" }
        if type == Bool.self { return "bool_type" }
        return String(describing: type).hasPrefix("Array<") ? "list_type" : "dict_type"
    }
}
