internal import HTTPCodec

/// The fields of an `application/x-www-form-urlencoded` body or of a query (WHATWG URL, section 5).
enum FormFields {
    /// Fields of one form; no form of ours has more.
    static let maxFields = 256

    /// - Throws: `HTTPError` 400 for malformed encoding, a field that comes twice (which one would count?), or too many.
    /// - Parameter source: what is read, for messages.
    static func parse(_ bytes: [UInt8], of source: String = "form") throws -> [String: String] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw HTTPError(.badRequest, "\(source).malformed", "the \(source) is not UTF-8")
        }
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let (rawName, rawValue) = split(pair)
            guard let name = PercentEncoding.decode(rawName, plusIsSpace: true),
                let value = PercentEncoding.decode(rawValue, plusIsSpace: true)
            else {
                throw HTTPError(.badRequest, "\(source).malformed", "the \(source) holds malformed percent-encoding")
            }
            guard fields.updateValue(value, forKey: name) == nil else {
                throw HTTPError(.badRequest, "\(source).duplicate_field", "a field of the \(source) is given twice")
            }
            guard fields.count <= maxFields else {
                throw HTTPError(
                    .badRequest, "\(source).too_many_fields", "the \(source) has more than \(maxFields) fields")
            }
        }
        return fields
    }

    /// The first value of a query's parameter; what is malformed does not count.
    static func value(of name: String, in query: Substring) -> String? {
        for pair in query.split(separator: "&") {
            let (rawName, rawValue) = split(pair)
            if rawName == name || PercentEncoding.decode(rawName, plusIsSpace: true) == name {
                return PercentEncoding.decode(rawValue, plusIsSpace: true)
            }
        }
        return nil
    }

    private static func split(_ pair: Substring) -> (name: Substring, value: Substring) {
        guard let equals = pair.firstIndex(of: "=") else { return (pair, "") }
        return (pair[..<equals], pair[pair.index(after: equals)...])
    }
}
