import HTTPCodec
import Testing

/// Mutations of valid messages, the same ones in every run. Whatever comes: no trap, no endless loop, the same reading
/// in any pieces, and nothing beyond the limits.
@Suite struct FuzzTests {
    private static let seeds: [[UInt8]] = [
        get("A: b", "Accept-Encoding: gzip", "Connection: keep-alive"),
        "GET http://other:80/a/b.c?d=%41#x HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\n\r\n",
        post("Content-Length: 11", body: "hello world") + get("X: y"),
        post("Transfer-Encoding: chunked", body: "5;a=\"b\"\r\nhello\r\n06;c=d\r\n world\r\n0\r\nT: u\r\n\r\n") + get(),
    ].map { Array($0.utf8) }

    private static let dictionary: [[UInt8]] = [
        "\r\n", "\r", "\n", "\r\n\r\n", "\u{0}", " ", "\t", ":", ";", "\"", "\\", "%", "%2e", "%2f", "%00", "..", "//",
        "0", "f",
        "ffffffffffffffff", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Host: y\r\n", "HTTP/1.0",
        "chunked", "100-continue", "close", "*", "[", "]", "@", "0\r\n\r\n", "é",
    ].map { Array($0.utf8) }

    private func mutate(_ input: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            case 1 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 3: bytes.removeSubrange(place..<end)
            case 4: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 5: bytes.removeSubrange(place...)
            default: bytes.insert(contentsOf: Self.dictionary.randomElement(using: &random) ?? [], at: place)
            }
        }
        return bytes
    }

    @Test(arguments: 0..<4)
    func mutatedRequestsAreReadOrRefused(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var limits = HTTPLimits()
        limits.maxHeadBytes = 300
        limits.maxTargetBytes = 60
        limits.maxFieldCount = 8
        limits.maxBodyBytes = 64
        for round in 0..<4000 {
            let bytes = mutate(Self.seeds[round % Self.seeds.count], &random)
            let whole = Conversation.read(bytes, limits: limits)
            for message in whole.messages {
                if message.body.count > 64 || message.target.utf8.count > 60 || message.fields.count > 8 {
                    Issue.record("beyond a limit: \(bytes)")
                }
                if message.target.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
                    Issue.record("target: \(bytes)")
                }
                for line in message.fields where line.utf8.contains(where: { $0 < 0x20 && $0 != 9 || $0 == 0x7F }) {
                    Issue.record("field: \(bytes)")
                }
            }
            let split = Int.random(in: 0...bytes.count, using: &random)
            if Conversation.read([bytes[..<split], bytes[split...]], limits: limits) != whole {
                Issue.record("reading depends on the pieces, split at \(split): \(bytes)")
            }
        }
    }

    @Test func mutatedResponsesAreReadOrRefused() {
        var random = SeededGenerator(seed: 7)
        let seeds = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello", "HTTP/1.0 304 Not Modified\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ].map { Array($0.utf8) }
        var read = 0
        var refused = 0
        for round in 0..<4000 {
            let bytes = mutate(seeds[round % seeds.count], &random)
            do throws(HTTPParseError) {
                if let head = try parseResponse(String(decoding: bytes, as: UTF8.self)) {
                    read += 1
                    if !(100...599).contains(head.status.code) { Issue.record("status: \(bytes)") }
                }
            } catch {
                refused += 1
            }
        }
        #expect(read > 100)
        #expect(refused > 100)
    }

    @Test func noiseIsReadOrRefused() {
        var random = SeededGenerator(seed: 9)
        for _ in 0..<2000 {
            let count = Int.random(in: 0...200, using: &random)
            _ = Conversation.read((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }
}
