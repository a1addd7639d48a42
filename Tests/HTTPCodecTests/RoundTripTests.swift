import HTTPCodec
import Testing

/// Whatever the serializer writes the parser reads back, whatever it was given.
@Suite struct RoundTripTests {
    @Test func requestsReadBack() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            var fields = HTTPFields()
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                fields.add(random.text(1...12), random.text(0...30))
            }
            let body = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let isChunked = Bool.random(using: &random)
            let framing: HTTPFraming = body.isEmpty ? .none : isChunked ? .chunked : .length(body.count)
            var output: [UInt8] = []
            let target = "/a" + random.text(0...20)
            let isWritten = HTTPSerializer.requestHead(
                method: [.get, .post, .put, .other("PURGE")].randomElement(using: &random) ?? .get, target: target,
                host: "h:1", fields: fields, framing: framing, into: &output)
            #expect(isWritten)
            if isChunked {
                var start = 0
                while start < body.count {
                    let end = min(body.count, start + Int.random(in: 1...100, using: &random))
                    body[start..<end].withUnsafeBytes { HTTPSerializer.chunk($0, into: &output) }
                    start = end
                }
                if !body.isEmpty { HTTPSerializer.lastChunk(into: &output) }
            } else {
                output += body
            }
            let conversation = Conversation.read(output)
            // A target that is malformed stays so; it is refused, and never read as something else.
            if conversation.refusal != nil {
                #expect(conversation.messages.isEmpty)
                continue
            }
            #expect(conversation.isWhole)
            let message = try #require(conversation.messages.first)
            #expect(conversation.messages.count == 1)
            #expect(message.body == body)
            var expected = ["host: h:1"]
            fields.forEach { name, value in
                let lower = name.lowercased()
                if !["host", "connection", "keep-alive", "content-length", "transfer-encoding"].contains(lower) {
                    expected.append("\(name): \(value)")
                }
            }
            #expect(Array(message.fields.prefix(expected.count)) == expected)
        }
    }

    @Test func responsesReadBack() throws {
        var random = SeededGenerator(seed: 2)
        let date = HTTPDate.format(secondsSince1970: 1_800_000_000)
        for _ in 0..<2000 {
            var fields = HTTPFields()
            for _ in 0..<Int.random(in: 0...12, using: &random) { fields.add(random.text(1...12), random.text(0...30)) }
            let framing: HTTPFraming =
                [.none, .length(0), .length(77), .chunked, .untilClose].randomElement(using: &random) ?? .none
            let status = HTTPStatus(Int.random(in: 200...599, using: &random))
            let keepsAlive = Bool.random(using: &random)
            var output: [UInt8] = []
            HTTPSerializer.responseHead(
                status: status, fields: fields, framing: framing, keepsAlive: keepsAlive, date: date, into: &output)
            let head = try #require(try parseResponse(String(decoding: output, as: UTF8.self)))
            #expect(head.status == status)
            let hasNoBody = status == .noContent || status == .notModified
            #expect(head.framing == (hasNoBody ? .none : framing == .none ? .length(0) : framing))
            #expect(head.keepsAlive == (keepsAlive && framing != .untilClose))
            #expect(head.fields.values("date").count == 1)
        }
    }
}
