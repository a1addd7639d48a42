/// A statement whose interpolated values are parameters: `"SELECT … WHERE id = \(id)"` binds `$1`.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    /// Statement text with `$1`, `$2`, … in place of the values.
    package private(set) var text: String
    package private(set) var parameters: [PostgreSQLParameter]

    /// Whether the statement is kept prepared by its connection. False for statements whose text clients shape: there
    /// are too many of them to keep.
    package var isPrepared = true

    /// A statement put together by code: `$1`, `$2`, … stand for the parameters, and no client's text is in it.
    package init(unsafeSQL text: String, parameters: [PostgreSQLParameter]) {
        self.text = text
        self.parameters = parameters
    }

    package init(stringLiteral value: String) {
        text = value
        parameters = []
    }

    package init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        parameters = stringInterpolation.parameters
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        var text = ""
        var parameters: [PostgreSQLParameter] = []

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
        package mutating func appendLiteral(_ literal: String) { text += literal }
        package mutating func appendInterpolation(_ value: some PostgreSQLEncodable) {
            parameters.append(value.postgreSQLParameter)
            text += "$\(parameters.count)"
        }
        /// Binds NULL for nil.
        package mutating func appendInterpolation<Value: PostgreSQLEncodable>(_ value: Value?) {
            parameters.append(value?.postgreSQLParameter ?? PostgreSQLParameter(nil))
            text += "$\(parameters.count)"
        }
        /// Splices trusted text (identifiers chosen by code, never by a client).
        package mutating func appendInterpolation(unsafeSQL: String) { text += unsafeSQL }
        /// Splices another statement with its parameters renumbered.
        package mutating func appendInterpolation(fragment: SQL) {
            var rest = fragment.text[...]
            while let dollar = rest.firstIndex(of: "$") {
                text += rest[..<dollar]
                rest = rest[rest.index(after: dollar)...]
                let digits = rest.prefix { $0.isNumber }
                guard let number = Int(digits) else {
                    text += "$"
                    continue
                }
                text += "$\(parameters.count + number)"
                rest = rest.dropFirst(digits.count)
            }
            text += rest
            parameters += fragment.parameters
        }
    }
}

/// A bound parameter in PostgreSQL's text format; nil is NULL.
package struct PostgreSQLParameter: Sendable, Hashable {
    package let text: String?
    package init(_ text: String?) { self.text = text }
}

/// A value that can be bound: Int, Int64, Double, Bool, String, UUID, [UInt8] (bytea), arrays of String and UUID,
/// Optional of these; other modules add Money and Timestamp.
package protocol PostgreSQLEncodable {
    var postgreSQLParameter: PostgreSQLParameter { get }
}

/// A value that can be read from a column's text.
package protocol PostgreSQLDecodable {
    /// - Returns: nil when the text is not of this type.
    init?(postgreSQLText text: String)
}
