import ServiceKit
import Testing

@testable import Gateway

@Suite struct MergedDocumentTests {
    /// A document with one path, one schema `Item` that refers to `Part`, and one that nothing refers to.
    private func document(_ path: String, type: String, security: JSONTree = ["type": "http", "scheme": "bearer"])
        -> JSONTree
    {
        [
            "openapi": "3.1.0", "info": ["title": "x", "summary": .string("about \(type)"), "version": "1"],
            "paths": .object([
                .init(
                    name: path,
                    value: [
                        "servers": [["url": "http://inside:1"]],
                        "parameters": [["$ref": "#/components/parameters/Page"]],
                        "post": [
                            "operationId": "make", "tags": ["items"], "security": [["bearer": []]],
                            "requestBody": [
                                "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Item"]]]
                            ],
                            "responses": [
                                "200": [
                                    "description": "#/components/ is no reference",
                                    "links": ["again": ["operationId": "make"]],
                                ],
                                "default": [
                                    "description": "no",
                                    "content": [
                                        "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
                                    ],
                                ],
                            ],
                        ],
                    ]),
                .init(name: "/internal/things", value: ["get": ["operationId": "inside", "responses": [:]]]),
            ]),
            "components": [
                "schemas": [
                    "Item": [
                        "type": "object", "properties": ["part": ["$ref": "#/components/schemas/Part"]],
                        "discriminator": [
                            "propertyName": "kind", "mapping": ["a": "#/components/schemas/Part"],
                        ],
                    ],
                    "Part": ["type": .string(type)],
                    "Unused": ["type": "string", "title": "nobody refers to it"],
                    "Problem": APIDocument.sharedComponents["schemas"]?["Problem"] ?? .null,
                ],
                "parameters": ["Page": ["name": "page", "in": "query", "schema": ["type": "integer"]]],
                "securitySchemes": ["bearer": security],
            ],
        ]
    }

    private func merged(_ documents: [(String, JSONTree)]) -> JSONTree {
        var merged = MergedDocument()
        for (service, document) in documents {
            merged.add(document, of: service) { !$0.hasPrefix("/internal") }
        }
        return merged.render(title: "all", about: "", absent: [])
    }

    private var both: JSONTree {
        merged([("a", document("/a", type: "string")), ("b", document("/b", type: "integer"))])
    }

    @Test func namesThatMeanTwoThingsAreKeptApart() throws {
        let schemas = try #require(both["components"]?["schemas"])
        #expect(Set(schemas.members.map(\.name)) == ["Problem", "a_Item", "a_Part", "b_Item", "b_Part"])
        #expect(schemas["a_Part"] == ["type": "string"])
        #expect(schemas["b_Part"] == ["type": "integer"])
        #expect(schemas["b_Item"]?["properties"]?["part"]?["$ref"] == "#/components/schemas/b_Part")
        #expect(schemas["b_Item"]?["discriminator"]?["mapping"]?["a"] == "#/components/schemas/b_Part")
        #expect(
            both["paths"]?["/b"]?["post"]?["requestBody"]?["content"]?["application/json"]?["schema"]?["$ref"]
                == "#/components/schemas/b_Item")
        #expect(both["paths"]?["/b"]?["parameters"] == [["$ref": "#/components/parameters/b_Page"]])
        #expect(both["paths"]?["/b"]?["post"]?["responses"]?["200"]?["description"] == "#/components/ is no reference")
    }

    @Test func aNameIsTheSameWhoeverElseIsThere() {
        let alone = merged([("b", document("/b", type: "integer"))])
        #expect(alone["paths"]?["/b"] == both["paths"]?["/b"])
        #expect(alone["components"]?["schemas"]?["b_Item"] == both["components"]?["schemas"]?["b_Item"])
    }

    @Test func operationsAreNamedOnceAndTaggedByService() {
        let operation = both["paths"]?["/a"]?["post"]
        #expect(operation?["operationId"] == "a_make")
        #expect(both["paths"]?["/b"]?["post"]?["operationId"] == "b_make")
        #expect(operation?["responses"]?["200"]?["links"]?["again"]?["operationId"] == "a_make")
        #expect(operation?["tags"] == ["a", "items"])
        #expect(both["tags"]?.elements.map { $0["name"] } == ["a", "b"])
        #expect(both["paths"]?["/a"]?["servers"] == nil)
        #expect(both["servers"] == [["url": "/"]])
        #expect(both["paths"]?["/internal/things"] == nil)
    }

    @Test func securitySchemesAreMergedUnlessTheyDiffer() {
        let shared = APIDocument.sharedComponents["securitySchemes"]?["bearer"] ?? .null
        let same = merged([
            ("a", document("/a", type: "string", security: shared)),
            ("b", document("/b", type: "string", security: shared)),
        ])
        #expect(same["components"]?["securitySchemes"]?.members.map(\.name) == ["bearer"])
        #expect(same["paths"]?["/a"]?["post"]?["security"] == [["bearer": []]])
        #expect(both["components"]?["securitySchemes"]?.members.map(\.name) == ["a_bearer", "b_bearer"])
        #expect(both["paths"]?["/a"]?["post"]?["security"] == [["a_bearer": []]])
    }
}
