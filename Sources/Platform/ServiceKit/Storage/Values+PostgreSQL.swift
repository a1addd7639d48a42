package import PostgreSQL
package import Values

/// How the platform's values stand in PostgreSQL: money as `numeric(18,2)`, instants as `timestamptz`.
extension Money: PostgreSQLEncodable, PostgreSQLDecodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(description) }
    package init?(postgreSQLText text: String) { self.init(text) }
}

extension Timestamp: PostgreSQLEncodable, PostgreSQLDecodable {
    package var postgreSQLParameter: PostgreSQLParameter { PostgreSQLParameter(description) }
    package init?(postgreSQLText text: String) { self.init(text) }
}
