package import ServiceKit
internal import Telemetry

/// How Elasticsearch takes the log lines: a type for every field that is declared, and nothing for any other, so that no
/// client can make fields without end. What is not mapped is kept in the document and not searched.
package struct LogMapping: Sendable {
    let services: [ServiceDefinition]

    package init(services: [ServiceDefinition]) { self.services = services }

    /// The fields of lines, ordered by name.
    package var fields: [String] {
        let declared = services.flatMap(\.contract.scopes).flatMap { $0.declarations.fields.map(\.name) }
        return LogEvent.commonFields.union(declared).union(Self.added).sorted()
    }

    /// What Logstash and the data stream add.
    private static let added: Set<String> = [
        "@version", "data_stream.type", "data_stream.dataset", "data_stream.namespace", "error.stack_trace",
        "event.original",
    ]

    /// Fields that are not keywords (Elastic Common Schema 9).
    private static let types: [String: Document] = [
        "@timestamp": ["type": "date"],
        "message": ["type": "match_only_text"],
        "error.message": ["type": "match_only_text"],
        "error.stack_trace": ["type": "wildcard"],
        "event.original": ["type": "keyword", "index": false, "doc_values": false],
        "event.duration": ["type": "long"],
        "http.request.body.bytes": ["type": "long"],
        "http.response.body.bytes": ["type": "long"],
        "http.response.status_code": ["type": "long"],
        "process.pid": ["type": "long"],
        "process.thread.id": ["type": "long"],
        "url.path": ["type": "wildcard"],
        "data_stream.type": ["type": "constant_keyword"],
        "data_stream.dataset": ["type": "constant_keyword"],
        "data_stream.namespace": ["type": "constant_keyword"],
    ]

    private static let keyword: Document = ["type": "keyword", "ignore_above": 1_024]

    /// The type of a field.
    package static func type(of field: String) -> String {
        guard case .string(let type)? = (types[field] ?? keyword)["type"] else { return "keyword" }
        return type
    }

    /// `properties` of the mapping: dots in names are objects.
    var properties: Document { Self.properties(fields.map { ($0.split(separator: ".").map(String.init)[...], $0) }) }

    private static func properties(_ fields: [(rest: ArraySlice<String>, field: String)]) -> Document {
        var members: [Document.Member] = []
        for name in Set(fields.compactMap(\.rest.first)).sorted() {
            let below = fields.filter { $0.rest.first == name }
            if let leaf = below.first(where: { $0.rest.count == 1 }) {
                members.append(.init(name, types[leaf.field] ?? keyword))
            } else {
                members.append(.init(name, ["properties": properties(below.map { ($0.rest.dropFirst(), $0.field) })]))
            }
        }
        return .object(members)
    }
}
