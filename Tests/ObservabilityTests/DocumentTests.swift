import FoundationEssentials
import Observability
import Testing

/// JSON and YAML as other readers take them.
@Suite struct DocumentTests {
    @Test func jsonKeepsOrderAndEscapes() throws {
        let document: Document = ["b": "a \"quote\"\n", "a": [1, 0.5, true, .null], "c": [:], "d": []]
        #expect(
            document.compactJSON == #"{"b":"a \"quote\"\n","a":[1,0.5,true,null],"c":{},"d":[]}"#)
        #expect(document.json.hasPrefix("{\n  \"b\": \"a \\\"quote\\\"\\n\",\n  \"a\": [\n    1,\n"))
        struct Read: Decodable { let b: String }
        #expect(try JSONDecoder().decode(Read.self, from: Data(document.json.utf8)).b == "a \"quote\"\n")
    }

    @Test func yamlIsBareOnlyWhereNobodyCanMisread() {
        let document: Document = [
            "name": "plain", "yes": "no", "version": "1.10", "empty": "", "text": "a: b # c",
            "list": ["a", ["x": 1, "y": [2]]], "none": [],
        ]
        #expect(
            document.yaml(comment: "made") == """
                # made
                name: plain
                "yes": "no"
                version: "1.10"
                empty: ""
                text: "a: b # c"
                list:
                  - a
                  - x: 1
                    "y":
                      - 2
                none: []

                """)
    }
}
