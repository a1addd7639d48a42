import FoundationEssentials
import ServiceKit
import Telemetry
import Testing
import Wiring

@testable import Observability

/// What Elasticsearch and Kibana are told agrees with what services write.
@Suite struct ElasticTests {
    private let mapping = LogMapping(services: ServiceTable.all)

    /// Every field of the mapping with its type.
    private static func leaves(_ properties: Document, below prefix: String = "") -> [String: String] {
        guard case .object(let members) = properties else { return [:] }
        var result: [String: String] = [:]
        for member in members {
            if let inner = member.value["properties"] {
                result.merge(leaves(inner, below: prefix + member.name + ".")) { first, _ in first }
            } else if case .string(let type)? = member.value["type"] {
                result[prefix + member.name] = type
            }
        }
        return result
    }

    @Test func everyDeclaredFieldIsMappedOnce() {
        let leaves = Self.leaves(mapping.properties)
        #expect(leaves.keys.sorted() == mapping.fields)
        for service in ServiceTable.all {
            for field in service.contract.scopes.flatMap(\.declarations.fields) { #expect(leaves[field.name] != nil) }
        }
        #expect(leaves["@timestamp"] == "date")
        #expect(leaves["event.duration"] == "long")
        #expect(leaves["labels.order_id"] == "keyword")
    }

    @Test func noFieldIsAValueAndAnObjectAtOnce() {
        for field in mapping.fields {
            #expect(!mapping.fields.contains { $0.hasPrefix(field + ".") }, "\(field)")
        }
    }

    @Test func kibanaAsksForMappedFieldsOnly() {
        #expect(KibanaObjects.fields.subtracting(mapping.fields) == [])
    }

    @Test func everySavedObjectIsOneLineOfJSON() throws {
        struct Saved: Decodable {
            struct Reference: Decodable { let id: String }
            let id: String
            let references: [Reference]
        }
        let lines = KibanaObjects().file.content.split(separator: "\n")
        let saved = try lines.map { try JSONDecoder().decode(Saved.self, from: Data($0.utf8)) }
        let known = Set(saved.map(\.id))
        #expect(known.count == saved.count)
        #expect(saved.flatMap(\.references).allSatisfy { known.contains($0.id) })
    }
}
