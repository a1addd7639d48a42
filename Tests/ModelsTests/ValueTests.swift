import Models
import PostgreSQL
import Telemetry
import Testing
import Values

@testable import Models

/// The small parts that everything rests on.
@Suite struct ValueTests {
    @Test(
        arguments: [
            ("0", 0, 2), ("-0", 0, 2), ("12.5", 1250, 2), ("1e3", 100_000, 2), ("100E-2", 100, 2), ("0.01", 1, 2),
            ("-1.10", -110, 2), ("5.0", 5, 0), ("123456789012345678", 123_456_789_012_345_678, 0),
        ] as [(String, Int64, Int)])
    func aNumberIsReadExactly(text: String, value: Int64, decimals: Int) {
        #expect(ExactNumber(text)?.scaled(by: decimals) == value)
    }

    @Test(arguments: ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x10", "1e99999", " 1", "1 ", "NaN", "--1"])
    func whatIsNoNumberIsNone(text: String) { #expect(ExactNumber(text) == nil) }

    @Test(arguments: [("0.001", 2), ("1e18", 0), ("1.5", 0), ("1234567890123456789012345678901234567890", 0)])
    func whatDoesNotFitIsNone(text: String, decimals: Int) {
        #expect(ExactNumber(text)?.scaled(by: decimals) == nil)
    }

    @Test func anIDReadsAnyCaseAndWritesLowerCase() throws {
        let id = try #require(ID("0123ABCD-4567-89eF-8abc-DEF012345678"))
        #expect(id.description == "0123abcd-4567-89ef-8abc-def012345678")
        #expect(ID(id.description) == id)
        #expect(ID("0123abcd-4567-89ef-8abcd-ef012345678") == nil)
        #expect(ID("0123abcd456789ef8abcdef012345678") == nil)
        let made = ID.make().description
        #expect(made.utf8.count == 36 && Array(made)[14] == "4" && "89ab".contains(Array(made)[19]))
    }

    @Test(arguments: [
        #"{"#, #"{"a""#, #"{"a":"#, #"{"a":1"#, #"{"a":1,"#, "[", "[1", "[1,", #""abc"#, "tru", "", "}", #"{"a" 1}"#,
        #"{1:2}"#,
        "nul", #""\"#,
    ])
    func brokenJSONIsAnErrorAndNoMore(text: String) {
        let bytes = Array(text.utf8)
        #expect(throws: JSONNode.Malformed.self) {
            let node = try JSONNode(whole: bytes)
            _ = try node.members()
            _ = try node.elements()
        }
    }

    @Test func membersAndElementsAreFoundWhereTheyAre() throws {
        let node = try JSONNode(
            whole: Array(#" {"a": [1, {"b":"]}"}], "\u0062\n":"\ud83d\ude42 \\ \"", "c":{} , "d":null} "#.utf8))
        let members = try node.members()
        #expect(members.map(\.name) == ["a", "b\n", "c", "d"])
        #expect(try members[0].value.elements().map(\.text) == ["1", #"{"b":"]}"}"#])
        #expect(members[1].value.string == "🙂 \\ \"")
        #expect(try members[2].value.members().isEmpty)
        #expect(members[3].value.kind == .null)
    }

    @Test func aStatementNeverHoldsAValue() throws {
        var query = ListQuery()
        query.search = "'; DROP TABLE gadgets; --"
        query.cursor = 7
        query.filter("code", .isIn, "a',b\",c\\")
        query.order(by: "name", descending: true)
        let list = ListStatement(schema: Gadget.schema, query: query, tenant: .company(nil))
        let sql = try list.sql(after: [.init("O'Brien")])
        #expect(!sql.text.contains("DROP") && !sql.text.contains("Brien") && !sql.text.contains("a'"))
        #expect(!sql.isPrepared)
    }

    @Test func listsAndSearchOfAHiddenFieldAreRefusedInCodeToo() {
        var query = ListQuery()
        query.filter("pin", .eq, "1")
        let list = ListStatement(schema: Gadget.schema, query: query, tenant: .every)
        #expect(throws: (any Error).self) { _ = try list.sql() }
    }

    @Test func theSchemaSaysWhatTheTableIs() {
        let table = Gadget.schema.createTable
        for line in [
            "price numeric(18,2) NOT NULL CHECK (price BETWEEN 0.00 AND 999999999999.99)",
            "shade text CHECK (shade IN ('red', 'green', 'blue'))", "UNIQUE NULLS NOT DISTINCT (company_id, code)",
            "FOREIGN KEY (shelf_id) REFERENCES shelves(id) ON DELETE RESTRICT",
            "CREATE INDEX gadgets_by_lsn ON gadgets (company_id, lsn)", "EXECUTE FUNCTION keep_base_columns()",
        ] { #expect(table.contains(line)) }
    }
}

@Suite struct EntityTagTests {
    @Test(arguments: [
        ("*", true, true), ("\"a\"", true, true), ("\"b\", \"a\"", true, true), ("W/\"a\"", false, true),
        ("\"b\"", false, false), (" \"x,a\" ,\"a\" ", true, true), ("\"\"", false, false),
    ])
    func tagsAreCompared(header: String, strongly: Bool, weakly: Bool) throws {
        let tags = try #require(EntityTags(header))
        #expect(tags.contains(strongly: "\"a\"") == strongly)
        #expect(tags.contains(weakly: "\"a\"") == weakly)
    }

    @Test(arguments: ["", "a", "\"a", "\"a\",", ",\"a\"", "\"a\" \"b\"", "w/\"a\"", "**", "\"a b\"", "\"é\""])
    func malformedOnesAreRefused(header: String) { #expect(EntityTags(header) == nil) }

    /// What the value makes of a column, or nil when it is not of the type.
    private func throughTheValue<V: FieldValue>(_ type: V.Type, _ column: UnsafeRawBufferPointer?) -> String? {
        guard let value = V.read(column: column) else { return nil }
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        return buffer.string()
    }

    private func writtenDirectly<V: FieldValue>(_ type: V.Type, _ column: UnsafeRawBufferPointer?) -> String? {
        var buffer = ByteBuffer()
        return V.columnWriter(column, &buffer) ? buffer.string() : nil
    }

    private func expectTheSame<V: FieldValue>(_ type: V.Type, _ columns: [String]) {
        for column in columns {
            Array(column.utf8).withUnsafeBytes { bytes in
                #expect(writtenDirectly(V.self, bytes) == throughTheValue(V.self, bytes), "\(V.self) '\(column)'")
                #expect(writtenDirectly(V?.self, bytes) == throughTheValue(V?.self, bytes), "\(V.self)? '\(column)'")
            }
        }
        #expect(writtenDirectly(V.self, nil) == nil)
        #expect(writtenDirectly(V?.self, nil) == "null")
    }

    @Test func aColumnWrittenAsItCameReadsAsItsValueWould() {
        expectTheSame(Int.self, ["0", "-1", "42", "9223372036854775807", "-9223372036854775808", "", "-", "1.5", "x"])
        expectTheSame(
            Money.self,
            [
                "0.00", "12.50", "-12.50", "0.05", "999999999999.99", "1000000000000.00", "7", "7.5", "1.005", "",
                ".50",
                "-.50", "NaN",
            ])
        expectTheSame(Bool.self, ["t", "f", "", "true"])
        expectTheSame(String.self, ["", "plain", "quote \" and \\", "línea\n\u{1}", "a\u{2028}b🙂", "</script>"])
        expectTheSame(
            Timestamp.self,
            [
                "2026-01-31 12:00:00+00", "2026-01-31 12:00:00.5+00", "2026-01-31 12:00:00.123456+00",
                "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2026-01-31 12:00:00+02",
                "2026-01-31 12:00:00.25+05:30", "infinity", "-infinity", "", "12026-01-31 12:00:00+00",
                "0044-03-15 12:00:00+00 BC",
            ])
        expectTheSame(ID.self, ["0123abcd-4567-89ef-8abc-def012345678", "", "0123abcd"])
        expectTheSame(JSONObject.self, ["{}", #"{"bin": 7, "text": "é"}"#])
        expectTheSame(Gadget.Colour.self, ["red", "green", "blue", "", "Red", "mauve"])
    }
}
