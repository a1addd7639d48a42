import HTTPCodec
import Testing
import Values

@testable import ServiceKit

@Suite struct JSONBodyTests {
    private struct Line: Codable, Sendable {
        var productID: String
        var quantity: Int
        enum CodingKeys: String, CodingKey {
            case productID = "product_id"
            case quantity
        }
    }

    private struct Order: Codable, Sendable, ClosedCodable {
        var items: [Line]
        var total: Money
        var isGift: Bool?
        enum CodingKeys: String, CodingKey, CaseIterable {
            case items, total
            case isGift = "is_gift"
        }
    }

    private func refusal(_ text: String) -> HTTPError? {
        do {
            _ = try JSONBody.decode(Order.self, from: Array(text.utf8))
            return nil
        } catch { return error as? HTTPError }
    }

    @Test func wellFormedBodiesAreDecoded() throws {
        let order = try JSONBody.decode(
            Order.self, from: Array(#"{"items":[{"product_id":"p","quantity":2}],"total":19.98}"#.utf8))
        #expect(order.total == Money(cents: 1998))
        #expect(order.items[0].quantity == 2)
    }

    @Test(arguments: [
        (#"{"items":[]}"#, ["body", "total"], "missing"),
        (
            #"{"items":[{"product_id":"p","quantity":"two"}],"total":1}"#, ["body", "items", "0", "quantity"],
            "int_type"
        ),
        (#"{"items":[{"product_id":7,"quantity":2}],"total":1}"#, ["body", "items", "0", "product_id"], "string_type"),
        (#"{"items":{},"total":1}"#, ["body", "items"], "list_type"),
        (#"{"items":[],"total":1.999}"#, ["body", "total"], "value_error"),
        (#"{"items":[],"total":1,"is_gift":3}"#, ["body", "is_gift"], "bool_type"),
        (#"{"items":null,"total":1}"#, ["body", "items"], "list_type"),
        (#"[]"#, ["body"], "dict_type"),
        (#"{"items":[],"total":1,"status":"PAID"}"#, ["body", "status"], "extra_forbidden"),
    ])
    func whatDoesNotFitNamesTheField(_ text: String, _ location: [String], _ type: String) throws {
        let error = try #require(refusal(text))
        #expect(error.status == .unprocessableContent)
        let field = try #require(error.fields.first)
        #expect(field.location == location)
        #expect(field.type == type)
    }

    @Test func syntaxErrorsAreAnotherStatus() throws {
        let error = try #require(refusal(#"{"items":[],"items":[]}"#))
        #expect(error.status == .badRequest)
        #expect(error.message.contains("byte 12"))
    }
}
