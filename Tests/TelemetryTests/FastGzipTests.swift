import TelemetrySDK
import TelemetryTesting
import Testing

@Suite struct FastGzipTests {
    /// Repeatable random numbers.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) ^ (state << 31)
        }
    }

    /// Bodies at the edges of the format: every length and distance class, runs, noise, nothing.
    private var bodies: [[UInt8]] {
        var random = Generator(state: 7)
        func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        var bodies: [[UInt8]] = [[], [0], noise(7), noise(8), noise(9), Array(0...255)]
        for count in [10, 258, 259, 260, 300, 517, 66_000] { bodies.append([UInt8](repeating: 0x41, count: count)) }
        for length in 3...300 { bodies.append(noise(16) + noise(3) + Array(repeating: 0, count: length) + noise(12)) }
        // A run of each length at each class of distances, up to the last one and beyond.
        for distance in [
            1, 2, 3, 4, 5, 8, 9, 255, 256, 257, 258, 384, 385, 512, 513, 769, 1_025, 2_049, 4_096, 4_097, 8_193, 16_385,
            24_576, 24_577, 32_767, 32_768, 32_769, 40_000,
        ] {
            let run = noise(min(distance, 40))
            let gap = noise(max(0, distance - run.count))
            bodies.append(noise(5) + run + gap + run + noise(20))
        }
        // Like a request: known runs between random identifiers.
        var request: [UInt8] = []
        for index in 0..<500 {
            request +=
                noise(24) + Array("http.request.method GET http.route /orders/{id} url.path /orders/\(index)".utf8)
        }
        bodies.append(request)
        for _ in 0..<40 {
            var body: [UInt8] = []
            while body.count < 3_000 {
                if body.count > 10, Bool.random(using: &random) {
                    let start = Int.random(in: 0..<body.count - 4, using: &random)
                    body += body[start..<min(body.count, start + Int.random(in: 1...300, using: &random))]
                } else {
                    body += noise(Int.random(in: 1...30, using: &random))
                }
            }
            bodies.append(body)
        }
        return bodies
    }

    @Test func whatIsCompressedIsReadByPython() throws {
        let gzip = FastGzip()
        var input: [UInt8] = []
        func append(_ bytes: [UInt8]) {
            input += (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
        }
        let bodies = bodies
        for body in bodies {
            append(body)
            append(try #require(body.withUnsafeBytes { gzip.compress($0) }))
        }
        let program = """
            import gzip, struct, sys
            data, at, count = sys.stdin.buffer.read(), 0, 0
            def take():
                global at
                size, = struct.unpack_from("<I", data, at)
                at += 4 + size
                return data[at - size:at]
            while at < len(data):
                plain, packed = take(), take()
                assert gzip.decompress(packed) == plain, (count, len(plain))
                count += 1
            print(count)
            """
        let judged = try ChildProcess.python(program, input: input)
        #expect(judged.output == "\(bodies.count)\n", "\(judged.errors)")
    }

    @Test func requestsShrinkAlmostAsWithZlib() throws {
        let body = try #require(bodies.first { $0.count > 40_000 && $0.count < 60_000 })
        let fast = try #require(body.withUnsafeBytes { FastGzip().compress($0) }).count
        let usual = try #require(Gzip.compress(body)).count
        #expect(fast < usual * 6 / 5)
    }

    @Test func noiseGrowsByAnEighthAtMost() throws {
        var random = Generator(state: 9)
        let body = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try #require(body.withUnsafeBytes { FastGzip().compress($0) }).count < 113_000)
    }
}
