import HTTPCodec
import Models
import Purchase
import ServiceKit
import ServiceTesting
import Testing
import Values
import Warehouse

@testable import Users

@testable import Models

/// The contract of P6 as a property: for each model, made from its schema, every operator, every bad value, every
/// missing and every extra field, over HTTP against a real database.
@Suite struct ContractTests {
    @Test(arguments: [1, 2] as [UInt64])
    func everyTypeAndTrait(seed: UInt64) async throws {
        try await Deployment.run([Samples.service]) { shop in
            try await ModelContract<Shelf>(shop, "/api/v1/shelves", seed: seed).check()
            let shelf = try await shop.send(.post, "/api/v1/shelves", json: #"{"label":"one"}"#)
            try await ModelContract<Gadget>(
                shop, "/api/v1/gadgets", seed: seed, references: ["shelf_id": try row(shelf)]
            ).check()
        }
    }

    @Test func theModelsOfPurchase() async throws {
        let seed: UInt64 = 3
        try await Deployment.run([PurchaseService.definition]) { shop in
            try await ModelContract<Supplier>(shop, "/api/v1/suppliers", seed: seed).check()
            let supplier = try await shop.send(
                .post, "/api/v1/suppliers", json: #"{"code":"ONE","name":"One","payment_days":1}"#)
            try await ModelContract<PurchaseOrder>(
                shop, "/api/v1/purchase-orders", seed: seed, references: ["supplier_id": try row(supplier)]
            ).check()
            let order = try await shop.send(
                .post, "/api/v1/purchase-orders", json: #"{"number":"ONE","supplier_id":"\#(try row(supplier))"}"#)
            try await ModelContract<PurchaseOrderLine>(
                shop, "/api/v1/purchase-order-lines", seed: seed, references: ["order_id": try row(order)],
                // An order of a hundred lines of the highest price and number is beyond what an order can cost.
                bounds: ["price": 0...99_999]
            ).check()
        }
    }

    @Test func theModelsOfTheWarehouse() async throws {
        let seed: UInt64 = 4
        try await Deployment.run([WarehouseService.definition]) { shop in
            try await ModelContract<Location>(shop, "/api/v1/locations", seed: seed).check()
            try await ModelContract<Warehouse.Operation>(shop, "/api/v1/operations", seed: seed).check()
            let location = try await shop.send(.post, "/api/v1/locations", json: #"{"code":"ONE","name":"One"}"#)
            let operation = try await shop.send(.post, "/api/v1/operations", json: #"{"number":"ONE","kind":"move"}"#)
            try await ModelContract<OperationLine>(
                shop, "/api/v1/operation-lines", seed: seed,
                references: [
                    "operation_id": try row(operation), "location_id": try row(location),
                    "to_location_id": try row(location),
                ]
            ).check()
        }
    }

    @Test func theModelsOfUsers() async throws {
        let seed: UInt64 = 5
        try await Deployment.run([UsersService.definition]) { shop in
            let admin = Person(roles: ["admin"], company: nil)
            try await ModelContract<Company>(shop, "/api/v1/companies", seed: seed, as: admin).check()
            try await ModelContract<Group>(shop, "/api/v1/groups", seed: seed, as: admin).check()
            try await ModelContract<Permission>(shop, "/api/v1/permissions", seed: seed, as: admin).check()
        }
    }

    private func row(_ reply: Reply) throws -> String {
        try #require(
            try JSONNode(whole: reply.bytes).members().first { $0.name == "id" }?.value.string, "\(reply.text)")
    }
}

/// A value of a row as filters see it.
private enum Cell: Hashable {
    case null, text(String), number(Int64), bool(Bool), time(Int64), id(String)
}

/// Holds one model's routes to what its schema says.
private struct ModelContract<M: Model> {
    /// Somebody who may do everything.
    private struct Client {
        let deployment: Deployment
        let person: Person

        func send(
            _ method: HTTPMethod, _ target: String, headers: [String: String] = [:], json: String? = nil
        ) async throws -> Reply {
            try await deployment.send(method, target, as: person, headers: headers, json: json)
        }
        func get(_ target: String) async throws -> Reply { try await send(.get, target) }
    }

    private let shop: Client
    let path: String
    var random: SplitMix
    /// Values of fields that refer to other rows.
    let references: [String: String]
    /// Narrower ranges than the schema's, for values that depend on each other.
    let bounds: [String: ClosedRange<Int>]
    private static var rowCount: Int { 24 }

    init(
        _ shop: Deployment, _ path: String, seed: UInt64, references: [String: String] = [:],
        bounds: [String: ClosedRange<Int>] = [:], as person: Person = .manager
    ) {
        self.shop = Client(deployment: shop, person: person)
        self.path = path
        self.references = references
        self.bounds = bounds
        random = SplitMix(state: seed)
    }

    private var schema: Schema<M> { M.schema }

    func check() async throws {
        var contract = self
        try await contract.run()
    }

    private mutating func run() async throws {
        var rows: [[String: Cell]] = []
        let empty = try await shop.get(path + "?limit=200")
        for row in try items(empty) { rows.append(try cells(row)) }
        for _ in 0..<Self.rowCount { rows.append(try await createsWhatItIsSent()) }
        try await refusesMissingFields()
        try await refusesExtraFields()
        try await refusesBadValues()
        try await filters(rows)
        try await refusesBadFilters()
        try await searches(rows)
        try await pagesInEveryOrder(rows.count)
        let after = try items(try await shop.get(path + "?limit=200"))
        #expect(after.count == rows.count, "what was refused left a row behind")
    }

    // MARK: Bodies

    private mutating func body(_ fields: [Field<M>]? = nil) -> [(String, JSONTree)] {
        var members: [(String, JSONTree)] = []
        for field in fields ?? schema.fields.filter(\.isWritableOnCreate) {
            if !field.isRequired, random.next() % 3 == 0 { continue }
            members.append((field.name, value(of: field)))
        }
        return members
    }

    private mutating func value(of field: Field<M>) -> JSONTree {
        if field.facts.isOptional, random.next() % 4 == 0 { return .null }
        if field.facts.reference != nil { return .string(references[field.name] ?? "") }
        let schema = field.facts.schema
        switch field.facts.sqlType {
        case "boolean": return .bool(random.next() % 2 == 0)
        case "uuid":
            return .string(random.next() % 2 == 0 ? ID.make().description : "0a000000-0000-4000-8000-00000000000a")
        case "timestamp with time zone":
            return .string(
                [
                    "2026-01-31T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
                    "2024-02-29T23:59:59.5+02:00", "1969-12-31t23:59:59.123456789z", "2026-01-31T12:00:00.000001Z",
                ][Int(random.next() % 6)])
        case "bigint":
            let range = bounds[field.name] ?? integer(schema["minimum"])...integer(schema["maximum"])
            return [
                .integer(range.lowerBound), .integer(range.upperBound), .integer(Int.random(in: range, using: &random)),
                .number("\(Int.random(in: range.clamped(to: -9...9), using: &random)).0"),
            ][Int(random.next() % 4)]
        case "numeric(18,2)":
            let range =
                bounds[field.name].map { $0.lowerBound * 100...$0.upperBound * 100 }
                ?? cents(schema["minimum"])...cents(schema["maximum"])
            let amount = [range.lowerBound, range.upperBound, Int.random(in: range, using: &random), 10][
                Int(random.next() % 4)]
            return .number(Money(cents: Int64(amount)).description)
        default:
            if case .array(let choices)? = schema["enum"] { return choices[Int(random.next() % UInt64(choices.count))] }
            return .string(text(field))
        }
    }

    private mutating func text(_ field: Field<M>) -> String {
        let schema = field.facts.schema
        let least = integer(schema["minLength"]), most = integer(schema["maxLength"])
        if field.traits.contains(.unique) { return "K\(random.next())" }
        if case .string(let pattern)? = schema["pattern"], pattern.contains("@") {
            return "a.b+\(random.next() % 1000)@example.com"
        }
        if case .string(let pattern)? = schema["pattern"], pattern.hasPrefix("^[A") {
            return "code-\(random.next() % 9)"
        }
        let words = [
            "'; DROP TABLE gadgets; --", "%", "_", "\\", "$1", "ärgerlich", "北京", "🙂", "orrery", "Orrery", "a\"b",
            "null", " ", "x,y", "\u{202E}",
        ]
        var text = ""
        for _ in 0..<(1 + random.next() % 3) { text += words[Int(random.next() % UInt64(words.count))] }
        while text.unicodeScalars.count < least { text += "x" }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(most)))
    }

    private static func text(_ members: [(String, JSONTree)]) -> String {
        String(decoding: JSONTree.object(members.map { .init(name: $0.0, value: $0.1) }).bytes, as: UTF8.self)
    }

    private mutating func createsWhatItIsSent() async throws -> [String: Cell] {
        let body = body()
        let reply = try await shop.send(.post, path, json: Self.text(body))
        try #require(reply.status == 201, "\(Self.text(body)) → \(reply.text)")
        let row = try JSONNode(whole: reply.bytes)
        let stored = try cells(row)
        for (name, value) in body {
            guard let field = schema.fields.first(where: { $0.name == name }), field.isVisible else { continue }
            let sent = try cell(JSONNode(whole: value.bytes), field.facts.sqlType)
            #expect(stored[name] == sent, "\(name)")
        }
        for field in schema.fields where !field.isVisible { #expect(stored[field.name] == nil) }
        // What was given out can be sent again, and changes nothing but the version.
        if case .id(let id)? = stored["id"] {
            let same = body.filter { member in
                schema.fields.contains { $0.name == member.0 && $0.isWritableOnUpdate }
            }
            let replaced = try await shop.send(.put, "\(path)/\(id)", json: Self.text(same))
            #expect(replaced.status == 200, "\(replaced.text)")
            var again = try cells(JSONNode(whole: replaced.bytes))
            again["updated_at"] = stored["updated_at"]
            #expect(again == stored)
            return try cells(JSONNode(whole: replaced.bytes))
        }
        return stored
    }

    private mutating func refusesMissingFields() async throws {
        for field in schema.fields where field.isRequired {
            let body = body().filter { $0.0 != field.name }
            let reply = try await shop.send(.post, path, json: Self.text(body))
            #expect(reply.status == 422)
            #expect(reply.text.contains(Self.problem("body", field.name)), "\(reply.text)")
        }
    }

    private static func problem(_ place: String, _ name: String) -> String {
        #"{"loc":["\#(place)","\#(name)"],"msg":"#
    }

    private mutating func refusesExtraFields() async throws {
        let id = try #require(try items(try await shop.get(path + "?limit=1")).first.map(cells)?["id"])
        guard case .id(let id) = id else { return }
        let forbidden =
            ["nonsense", "ID", "id", "lsn", "created_at", "updated_at", "company_id", "is_admin", "__proto__"]
        let readOnly = schema.fields.filter { !$0.isWritableOnCreate }.map(\.name)
        for name in forbidden + readOnly {
            let reply = try await shop.send(.post, path, json: Self.text(body() + [(name, 1)]))
            #expect(reply.status == 422 && reply.text.contains(Self.problem("body", name)), "\(name): \(reply.text)")
        }
        for name in forbidden + schema.fields.filter({ !$0.isWritableOnUpdate }).map(\.name) {
            let reply = try await shop.send(.patch, "\(path)/\(id)", json: Self.text([(name, 1)]))
            #expect(reply.status == 422 && reply.text.contains(Self.problem("body", name)), "\(name): \(reply.text)")
        }
    }

    /// Values that are against the field's type or rule.
    private func badValues(of field: Field<M>) -> [JSONTree] {
        let schema = field.facts.schema
        var bad: [JSONTree] = [["list"], ["key": 1]]
        if !field.facts.isOptional { bad.append(.null) }
        switch field.facts.sqlType {
        case "boolean": bad += ["true", 1, 0]
        case "uuid":
            bad += ["", "x", "11111111-2222-4333-8444-55555555555", 5, "{11111111-2222-4333-8444-555555555555}"]
        case "timestamp with time zone":
            bad += [
                "", "yesterday", "2026-02-30T00:00:00Z", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z",
                "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", 1_700_000_000, "infinity", "2026-01-31T25:00:00Z",
                "2026-01-31T12:00:00+0100",
            ]
        case "bigint":
            bad += [
                "5", true, .number("1.5"), .number("1e30"), .integer(integer(schema["minimum"]) - 1),
                .integer(integer(schema["maximum"]) + 1), .number("9223372036854775808"), .number("-1e18"),
            ]
        case "numeric(18,2)":
            bad += [
                "5", true, .number("0.001"), .number("1e30"), .number("1000000000000"), .number("1e-3"),
                .number(Money(cents: Int64(cents(schema["minimum"])) - 1).description),
            ]
        default:
            bad += [5, true]
            if schema["enum"] != nil { return bad + ["", "nothing", "RED"] }
            bad.append(.string(String(repeating: "a", count: integer(schema["maxLength"]) + 1)))
            if integer(schema["minLength"]) > 0 { bad.append("") }
            if case .string(let pattern)? = schema["pattern"] {
                bad += ["line\nbreak", "tab\t", "\u{7F}"]
                if pattern.contains("@") { bad += ["no at sign", "@example.com", "a@", "a@@b", "a@b..c", "ä@b.c"] }
                if pattern.hasPrefix("^[A") { bad += ["with space", "ä", "a/b"] }
            }
        }
        return bad
    }

    private mutating func refusesBadValues() async throws {
        guard case .id(let id)? = try items(try await shop.get(path + "?limit=1")).first.map(cells)?["id"] else {
            return
        }
        for field in schema.fields where field.isWritableOnCreate {
            for value in badValues(of: field) {
                let body = body().filter { $0.0 != field.name } + [(field.name, value)]
                let reply = try await shop.send(.post, path, json: Self.text(body))
                #expect(
                    reply.status == 422 && reply.text.contains(Self.problem("body", field.name)),
                    "\(field.name) = \(value): \(reply.status) \(reply.text)")
                guard field.isWritableOnUpdate else { continue }
                let patched = try await shop.send(.patch, "\(path)/\(id)", json: Self.text([(field.name, value)]))
                #expect(
                    patched.status == 422 && patched.text.contains(Self.problem("body", field.name)),
                    "\(field.name) = \(value): \(patched.status) \(patched.text)")
            }
        }
        for body in ["[]", "null", "3", "\"text\""] {
            #expect(try await shop.send(.post, path, json: body).status == 422)
        }
        for body in ["", "{", "{}x", #"{"a":1,"a":2}"#, #"{"a":NaN}"#, #"{"a":"\u0000"}"#] {
            #expect(try await shop.send(.post, path, json: body).status == 400, "\(body)")
        }
        #expect(
            try await shop.send(.post, path, headers: ["content-type": "text/plain"], json: "{}").status == 415)
    }

    // MARK: Filters

    private mutating func filters(_ rows: [[String: Cell]]) async throws {
        for column in schema.columns {
            for comparison in column.operators {
                for _ in 0..<3 {
                    let operand = operand(column, comparison, rows)
                    let wanted = Set(
                        rows.filter { Self.holds($0[column.name] ?? .null, comparison, operand) }.map(\.id))
                    let name = comparison.parameterName(column.name)
                    let target = "\(path)?limit=200&\(name)=\(PercentEncoding.encode(Self.parameter(operand)))"
                    let reply = try await shop.get(target)
                    guard reply.status == 200 else {
                        Issue.record("\(target): \(reply.text)")
                        continue
                    }
                    let found = Set(try items(reply).map { try cells($0).id })
                    #expect(found == wanted, "\(target)")
                }
            }
        }
    }

    private enum Operand {
        case cell(Cell), list([Cell]), isNull(Bool), pattern(String)
    }

    private mutating func operand(_ column: Column, _ comparison: FilterOperator, _ rows: [[String: Cell]]) -> Operand {
        let known = rows.compactMap { $0[column.name] }.filter { $0 != .null }
        let cell = known.isEmpty ? Self.sample(column) : known[Int(random.next() % UInt64(known.count))]
        switch comparison {
        case .isNull: return .isNull(random.next() % 2 == 0)
        case .isIn, .isNotIn:
            let cells = (0..<3).map { _ in known.isEmpty ? cell : known[Int(random.next() % UInt64(known.count))] }
            // A comma parts values: a text with one cannot be listed.
            let listable = cells.filter { if case .text(let text) = $0 { !text.contains(",") } else { true } }
            return .list(listable.isEmpty ? [Self.sample(column)] : listable)
        case .like, .ilike:
            guard case .text(let text) = cell else { return .pattern("%") }
            let escaped = text.unicodeScalars.map { ["%", "_", "\\"].contains($0) ? "\\\($0)" : "\($0)" }
            let start = escaped.prefix(Int(random.next() % 4)).joined()
            return .pattern(
                [start + "%", "%" + start + "%", escaped.joined(), "_%", start.uppercased() + "%"][
                    Int(random.next() % 5)])
        default: return .cell(cell)
        }
    }

    private static func sample(_ column: Column) -> Cell {
        switch column.sqlType {
        case "boolean": .bool(true)
        case "uuid": .id("0a000000-0000-4000-8000-00000000000a")
        case "bigint", "numeric(18,2)": .number(100)
        case "timestamp with time zone": .time(0)
        default: .text(column.operators.contains(.like) ? "none" : enumeration(column))
        }
    }

    private static func enumeration(_ column: Column) -> String {
        if case .array(let names)? = column.filterSchema["enum"], case .string(let name)? = names.first { return name }
        return ""
    }

    private static func parameter(_ operand: Operand) -> String {
        switch operand {
        case .cell(let cell): text(cell)
        case .list(let cells): cells.map(text).joined(separator: ",")
        case .isNull(let isNull): isNull ? "true" : "false"
        case .pattern(let pattern): pattern
        }
    }

    private static func text(_ cell: Cell) -> String {
        switch cell {
        case .null: ""
        case .text(let text), .id(let text): text
        case .number(let number): number % 100 == 0 ? "\(number / 100)" : Money(cents: number).description
        case .bool(let bool): bool ? "true" : "false"
        case .time(let time): Timestamp(microseconds: time).description
        }
    }

    /// What the operator says of a value: the reference that the database is held to.
    private static func holds(_ cell: Cell, _ comparison: FilterOperator, _ operand: Operand) -> Bool {
        switch (comparison, operand) {
        case (.isNull, .isNull(let isNull)): return (cell == .null) == isNull
        case (.eq, .cell(let other)): return cell == other
        case (.neq, .cell(let other)): return cell != other
        case (.isIn, .list(let others)): return others.contains(cell)
        case (.isNotIn, .list(let others)): return !others.contains(cell)
        case (.like, .pattern(let pattern)), (.ilike, .pattern(let pattern)):
            guard case .text(let text) = cell else { return false }
            let fold = comparison == .ilike
            return matches(
                Array((fold ? text.lowercased() : text).unicodeScalars)[...],
                Array((fold ? pattern.lowercased() : pattern).unicodeScalars)[...])
        case (_, .cell(let other)):
            guard let order = order(cell, other) else { return false }
            return switch comparison {
            case .gt: order > 0
            case .gte: order >= 0
            case .lt: order < 0
            default: order <= 0
            }
        default: return false
        }
    }

    private static func order(_ a: Cell, _ b: Cell) -> Int? {
        switch (a, b) {
        case (.number(let a), .number(let b)), (.time(let a), .time(let b)): a < b ? -1 : a > b ? 1 : 0
        case (.text(let a), .text(let b)):
            a == b ? 0 : a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        default: nil
        }
    }

    private static func matches(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "%" {
            return (text.startIndex...text.endIndex).contains { matches(text[$0...], pattern.dropFirst()) }
        }
        guard let letter = text.first else { return false }
        if first == "_" { return matches(text.dropFirst(), pattern.dropFirst()) }
        let literal = first == "\\" ? pattern.dropFirst() : pattern
        return literal.first == letter && matches(text.dropFirst(), literal.dropFirst())
    }

    private func refusesBadFilters() async throws {
        var bad: [(String, String)] = [
            ("nonsense", "1"), ("company_id", Person.alpha), ("vars", "{}"), ("id__like", "a"), ("id__nonsense", "1"),
            ("id__eq", ID.none.description), ("limit", "0"), ("limit", "201"), ("limit", "x"), ("cursor", "-1"),
            ("cursor", "x"), ("direction", "up"), ("order_by", "nonsense"), ("order_by", ""), ("order_by", "id,id"),
            ("order_by", "vars"), ("id__in", "x"), ("created_at__gt", "yesterday"), ("id__isnull", "perhaps"),
            ("lsn", "9223372036854775808"), ("id; DROP TABLE", "1"),
        ]
        for field in schema.fields {
            if !field.isFilterable {
                bad += [(field.name, "1"), ("order_by", field.name), (field.name + "__isnull", "true")]
                continue
            }
            for comparison in FilterOperator.allCases where !field.facts.operators.contains(comparison) {
                bad.append((comparison.parameterName(field.name), "1"))
            }
            if field.facts.isText {
                bad += [(field.name + "__like", "a\\"), (field.name, String(repeating: "a", count: 501))]
            } else {
                bad += [(field.name, "no such value"), (field.name + "__neq", "")]
            }
        }
        if !schema.columns.contains(where: \.isSearchable) { bad.append(("search", "x")) }
        for (name, value) in bad {
            let reply = try await shop.get("\(path)?\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))")
            #expect(
                reply.status == 422 && reply.text.contains(Self.problem("query", name)),
                "\(name)=\(value): \(reply.status) \(reply.text)")
        }
        for query in ["limit=%", "limit=%ff", "limit=1&limit=2", "search=%00"] {
            #expect(try await shop.get("\(path)?\(query)").status == 400, "\(query)")
        }
    }

    private func searches(_ rows: [[String: Cell]]) async throws {
        let names = schema.columns.filter(\.isSearchable).map(\.name)
        for word in ["orrery", "ORR", "%", "_", "\\", "'", "K1", "no such thing", "京"] where !names.isEmpty {
            let wanted = rows.filter { row in
                names.contains { name in
                    guard case .text(let text)? = row[name] else { return false }
                    return text.lowercased().contains(word.lowercased())
                }
            }
            let reply = try await shop.get("\(path)?limit=200&search=\(PercentEncoding.encode(word))")
            #expect(Set(try items(reply).map { try cells($0).id }) == Set(wanted.map(\.id)), "search \(word)")
        }
    }

    // MARK: Pages

    private mutating func pagesInEveryOrder(_ count: Int) async throws {
        var orders = [""] + schema.columns.flatMap { [$0.name, "-" + $0.name] }
        for _ in 0..<4 {
            let a = schema.columns[Int(random.next() % UInt64(schema.columns.count))].name
            let b = schema.columns[Int(random.next() % UInt64(schema.columns.count))].name
            if a != b {
                orders.append((random.next() % 2 == 0 ? "-" : "") + a + "," + (random.next() % 2 == 0 ? "-" : "") + b)
            }
        }
        for order in orders {
            for direction in ["asc", "desc"] {
                let question = "\(path)?direction=\(direction)" + (order.isEmpty ? "" : "&order_by=\(order)")
                let whole = try items(try await shop.get(question + "&limit=200")).map { try cells($0).id }
                #expect(whole.count == count)
                var walked: [String] = []
                var cursor: String?
                let limit = 5 + Int(random.next() % 7)
                repeat {
                    let page = try await shop.get(question + "&limit=\(limit)" + (cursor.map { "&cursor=\($0)" } ?? ""))
                    try #require(page.status == 200, "\(question) \(page.text)")
                    let found = try items(page).map { try cells($0).id }
                    walked += found
                    let next = try JSONNode(whole: page.bytes).members().first { $0.name == "next_cursor" }?.value
                    cursor = next?.kind == .number ? next?.text : nil
                    #expect(found.count == limit || cursor == nil)
                } while cursor != nil && walked.count <= count
                #expect(walked == whole, "\(question)")
            }
        }
    }

    // MARK: Reading answers

    private func items(_ reply: Reply) throws -> [JSONNode] {
        try JSONNode(whole: reply.bytes).members().first { $0.name == "items" }?.value.elements() ?? []
    }

    private func cells(_ row: JSONNode) throws -> [String: Cell] {
        var types = Dictionary(uniqueKeysWithValues: schema.fields.map { ($0.name, $0.facts.sqlType) })
        for column in Column.base { types[column.name] = column.sqlType }
        var cells: [String: Cell] = [:]
        for (name, value) in try row.members() {
            guard let type = types[name] else { continue }
            cells[name] = try cell(value, type)
        }
        return cells
    }

    private func cell(_ node: JSONNode, _ type: String) throws -> Cell {
        switch node.kind {
        case .null: return .null
        case .bool: return .bool(node.bool ?? false)
        case .number:
            return .number(
                try #require(ExactNumber(node.text)?.scaled(by: type == "bigint" ? 0 : 2))
                    * (type == "bigint" ? 100 : 1))
        default:
            let text = try #require(node.string)
            if type == "timestamp with time zone" {
                return .time(try #require(Timestamp(text.uppercased())).microseconds)
            }
            return type == "uuid" ? .id(text.lowercased()) : .text(text)
        }
    }

    private func integer(_ tree: JSONTree?) -> Int { if case .integer(let value)? = tree { value } else { 0 } }
    private func cents(_ tree: JSONTree?) -> Int {
        if case .number(let text)? = tree { Int(Money(text)?.cents ?? 0) } else { 0 }
    }
}

extension [String: Cell] {
    fileprivate var id: String { if case .id(let id)? = self["id"] { id } else { "" } }
}

/// Random numbers that come again with the same seed.
/// Random numbers that are the same with every run (SplitMix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
