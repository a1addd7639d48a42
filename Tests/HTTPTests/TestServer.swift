import EventLoop
import HTTP
import HTTPCodec
import Synchronization

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

/// Runs `body` with a client, and shuts it down afterwards.
func calling(
    _ configure: (inout HTTPClient.Configuration) -> Void = { _ in }, _ body: (HTTPClient) async throws -> Void
) async throws {
    var configuration = HTTPClient.Configuration()
    configure(&configuration)
    let client = HTTPClient(configuration: configuration, group: loops, telemetry: nil)
    do {
        try await body(client)
    } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

/// Answers with method, target and body.
@Sendable func echo(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try await request.body.collect(upTo: 4 * 1024 * 1024)
    return HTTPResponse(body: .bytes(Array("\(request.method.name) \(request.target) ".utf8) + body))
}

@Sendable func hello(_ request: HTTPRequest) async throws -> HTTPResponse {
    HTTPResponse(body: .bytes(Array("hello".utf8)))
}

/// Something that many may wait for, to happen once.
final class Gate: Sendable {
    private let opened = Atomic<Bool>(false)
    private let arrived = Atomic<Int>(0)

    /// How many came to `pass`.
    var arrivals: Int { arrived.load(ordering: .relaxed) }
    var isOpen: Bool { opened.load(ordering: .relaxed) }
    func open() { opened.store(true, ordering: .relaxed) }

    /// Waits for `open`; throws when the task is cancelled.
    func pass() async throws {
        arrived.wrappingAdd(1, ordering: .relaxed)
        while !isOpen { try await Task.sleep(nanoseconds: 1_000_000) }
    }
}

extension HTTPServer {
    var url: String { "http://127.0.0.1:\(port)" }
}

extension HTTPResponse {
    func text() async throws -> String {
        String(decoding: try await body.collect(upTo: 64 * 1024 * 1024), as: UTF8.self)
    }
}

extension HTTPBody {
    var isStream: Bool { if case .stream = self { true } else { false } }
}

/// `count` pieces made one after the other; tells how many were asked for.
struct Pieces: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error
    let count: Int
    let size: Int
    let made = Made()
    /// After this piece the source fails.
    var failsAfter = Int.max

    struct Broken: Error {}

    final class Made: Sendable {
        private let number = Atomic<Int>(0)
        var value: Int { number.load(ordering: .relaxed) }
        func increment() { number.wrappingAdd(1, ordering: .relaxed) }
    }

    struct Iterator: AsyncIteratorProtocol {
        let pieces: Pieces
        var index = 0
        mutating func next() async throws -> [UInt8]? {
            guard index < pieces.count else { return nil }
            guard index < pieces.failsAfter else { throw Broken() }
            index += 1
            pieces.made.increment()
            // As a real source: not always at once.
            if index % 8 == 0 { await Task.yield() }
            return [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: pieces.size)
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(pieces: self) }
}
