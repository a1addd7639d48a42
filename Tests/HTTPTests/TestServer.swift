import EventLoop
import HTTP
import HTTPCodec

/// Loops that all tests of this target share.
let loops = EventLoopGroup(count: 2)

/// Runs `body` against a server on a free port, and stops it afterwards.
func serving(
    _ configure: (inout HTTPServer.Configuration) -> Void = { _ in }, on group: EventLoopGroup = loops,
    handler: @escaping HTTPHandler, _ body: (HTTPServer) async throws -> Void
) async throws {
    var configuration = HTTPServer.Configuration()
    configure(&configuration)
    let server = HTTPServer(configuration: configuration, group: group, handler: handler)
    try await server.start()
    do {
        try await body(server)
    } catch {
        await server.drain(timeoutSeconds: 0)
        throw error
    }
    await server.drain(timeoutSeconds: 0)
}

/// Answers with method, target and body.
@Sendable func echo(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try await request.body.collect(upTo: 4 * 1024 * 1024)
    return HTTPResponse(body: .bytes(Array("\(request.method.name) \(request.target) ".utf8) + body))
}

extension HTTPServer {
    var url: String { "http://127.0.0.1:\(port)" }
}

extension HTTPResponse {
    func text() async throws -> String {
        String(decoding: try await body.collect(upTo: 64 * 1024 * 1024), as: UTF8.self)
    }
}

/// `count` pieces made one after the other, counting how many were asked for.
struct Pieces: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error
    let count: Int
    let size: Int
    var made: @Sendable () -> Void = {}

    struct Iterator: AsyncIteratorProtocol {
        let pieces: Pieces
        var index = 0
        mutating func next() async throws -> [UInt8]? {
            guard index < pieces.count else { return nil }
            index += 1
            pieces.made()
            // As a real source: not at once.
            if index % 8 == 0 { await Task.yield() }
            return [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: pieces.size)
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(pieces: self) }
}
