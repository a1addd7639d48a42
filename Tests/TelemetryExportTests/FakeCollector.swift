import EventLoop
import HTTP
import HTTPCodec
import Synchronization

@testable import TelemetryExport

/// A collector that answers as the test tells it, on our own HTTP server.
final class FakeCollector: Sendable {
    struct Received: Sendable {
        let request: HTTPRequest
        let body: [UInt8]
    }

    typealias Answer = @Sendable (_ number: Int) async -> HTTPResponse

    private let server: HTTPServer
    let group: EventLoopGroup

    private final class State: Sendable {
        let received = Mutex<[Received]>([])
    }
    private let state: State

    /// - Parameter answer: told how many requests came so far.
    convenience init(_ answer: @escaping Answer) async throws {
        try await self.init { number, _ in await answer(number) }
    }

    /// - Parameter answer: told how many requests came so far, and this one's body.
    init(_ answer: @escaping @Sendable (_ number: Int, _ body: [UInt8]) async -> HTTPResponse) async throws {
        group = EventLoopGroup(count: 1)
        let state = State()
        self.state = state
        server = HTTPServer(configuration: .init(), group: group) { request in
            let body = try await request.body.collect(upTo: 8 * 1024 * 1024)
            let number = state.received.withLock { received in
                received.append(Received(request: request, body: body))
                return received.count
            }
            return await answer(number, body)
        }
        try await server.start()
    }

    var url: String { "http://127.0.0.1:\(server.port)" }
    var requests: [Received] { state.received.withLock { $0 } }

    func stop() async {
        await server.drain(timeoutSeconds: 1)
        group.shutdown()
    }
}
