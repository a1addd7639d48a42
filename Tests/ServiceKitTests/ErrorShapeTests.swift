import FoundationEssentials
import HTTP
import HTTPCodec
import Telemetry
import Testing

@testable import ServiceKit

@Suite struct ErrorShapeTests {
    private let trace = TraceID(high: 1, low: 2)

    private func text(_ shape: ErrorShape, _ error: HTTPError) async throws -> (HTTPResponse, String) {
        let response = shape.response(to: error, traceID: trace, requestID: "r-1")
        return (response, String(decoding: try await response.body.collect(upTo: 10_000), as: UTF8.self))
    }

    @Test func problemDetailsCarryTraceAndRequest() async throws {
        let (response, text) = try await text(.problem, HTTPError(.conflict, "stock.insufficient", #"only "2" left"#))
        #expect(response.headers["content-type"] == "application/problem+json")
        #expect(
            text
                == #"{"type":"about:blank","title":"Conflict","status":409,"detail":"only \"2\" left","code":"stock.insufficient","trace_id":"00000000000000010000000000000002","request_id":"r-1"}"#
        )
    }

    @Test func detailIsATextOrAList() async throws {
        #expect(
            try await text(.detail, HTTPError(.notFound, "x", "Product not found")).1
                == #"{"detail":"Product not found"}"#)
        let invalid = HTTPError.invalid(["body", "items", "0", "quantity"], "Field required", type: "missing")
        #expect(
            try await text(.detail, invalid).1
                == #"{"detail":[{"loc":["body","items",0,"quantity"],"msg":"Field required","type":"missing"}]}"#)
    }

    @Test func marimoSaysSuccessFalse() async throws {
        let (response, text) = try await text(.marimo, HTTPError(.unauthorized, "x", "invalid e-mail or password"))
        #expect(text == #"{"success":false,"message":"invalid e-mail or password"}"#)
        #expect(response.headers["www-authenticate"] == "Bearer")
        #expect(response.headers["content-type"] == "application/json")
    }

    @Test func controlCharactersOfAMessageCannotBreakTheBody() async throws {
        let (_, text) = try await text(.problem, HTTPError(.badRequest, "x", "a\u{1B}[31m\n\u{0}b"))
        let decoded = try JSONDecoder().decode([String: JSONAny].self, from: Data(text.utf8))
        #expect(decoded["detail"]?.text == "a\u{1B}[31m\n\u{0}b")
        #expect(!text.contains("\u{1B}"))
    }
}

/// A string or something else.
private struct JSONAny: Decodable {
    let text: String?
    init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
}
