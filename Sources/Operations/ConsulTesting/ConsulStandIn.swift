package import EventLoop
internal import FoundationEssentials
internal import HTTP
internal import HTTPCodec
internal import Synchronization

/// An agent and server of Consul in one, as far as its HTTP API (v1) is used here, on a real socket: registrations whose
/// health it really asks for, blocking queries with the index semantics of the original, keys and values with check and
/// set, tokens. Consul itself is in no package of Debian; an independent client (py-consul) holds this against what such
/// clients expect. It can be gone, hang, fail, talk nonsense, forget, and lose its indexes.
package final class ConsulStandIn: Sendable {
    /// What is wrong with it.
    package enum Fault: Sendable, Equatable { case none, hanging, failing, garbage }

    let store = StandInStore()
    private let group: EventLoopGroup
    private let token: String?
    private let checker: StandInChecker
    private let state = Mutex(State())

    private struct State: Sendable {
        var server: HTTPServer?
        var port = 0
        var fault = Fault.none
        var requests: [String] = []
    }

    private static let maxRemembered = 10_000

    /// Starts on a free port.
    /// - Parameter token: the only one that may do anything; nil when nobody is asked for one.
    package init(group: EventLoopGroup, token: String? = nil) async throws {
        self.group = group
        self.token = token
        checker = StandInChecker(store: store, group: group)
        try await listen()
    }

    package var url: String { "http://127.0.0.1:\(state.withLock { $0.port })" }

    /// Every request so far: method and target.
    package var requests: [String] { state.withLock { $0.requests } }

    // MARK: Faults

    package func set(_ fault: Fault) {
        state.withLock { $0.fault = fault }
        store.wakeAll()
    }

    /// Nobody listens any more; connections are cut. What it knows stays.
    package func goAway() async {
        let server = state.withLock { state in
            defer { state.server = nil }
            return state.server
        }
        checker.stop()
        store.wakeAll()
        await server?.drain(timeoutSeconds: 0)
    }

    /// It listens again, on the same port.
    package func comeBack() async throws {
        try await listen()
        checker.resume()
    }

    /// The agent has lost its registrations, as when it restarts without its data.
    package func forgetServices() { store.forgetServices() }

    /// Every index starts over, as when a snapshot of the past is restored.
    package func resetIndexes() { store.resetIndexes() }

    /// Ids of the services that are registered.
    package var serviceIDs: [String] { store.serviceIDs }

    /// The health of a registered service: `passing`, `warning` or `critical`.
    package func status(of id: String) -> String? { store.status(of: id) }

    package func stop() async { await goAway() }

    // MARK: Serving

    private func listen() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.port = state.withLock { $0.port }
        let server = HTTPServer(configuration: configuration, group: group) { [self] request in
            try await answer(request)
        }
        // Before anybody can ask.
        state.withLock { $0.server = server }
        try await server.start()
        state.withLock { $0.port = server.port }
    }

    private func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        let fault = state.withLock { state in
            // It is going: what still comes in is not answered well.
            if state.server == nil { return Fault.failing }
            if state.requests.count < Self.maxRemembered {
                state.requests.append("\(request.method.name) \(request.target)")
            }
            return state.fault
        }
        switch fault {
        case .none: break
        case .hanging:
            while state.withLock({ $0.fault == .hanging && $0.server != nil }) {
                try await Task.sleep(nanoseconds: 20_000_000)
            }
        case .failing: return .text(.internalServerError, "No cluster leader")
        case .garbage: return .json("[{\"Service\":", index: 7)
        }
        return try await StandInRouter(
            store: store, checker: checker, token: token,
            isGone: { [self] in
                state.withLock { $0.server == nil || $0.fault != .none }
            }
        ).answer(request)
    }
}

extension HTTPResponse {
    static func text(_ status: HTTPStatus, _ text: String) -> HTTPResponse {
        var response = HTTPResponse(status: status, body: .bytes(Array(text.utf8)))
        response.headers.add("content-type", "text/plain; charset=utf-8")
        return response
    }

    /// What a read answers: who was asked, and at which index.
    static func json(_ text: String, status: HTTPStatus = .ok, index: UInt64? = nil, isFiltered: Bool = false)
        -> HTTPResponse
    {
        var response = HTTPResponse(status: status, body: .bytes(Array(text.utf8)))
        response.headers.add("content-type", "application/json")
        if let index {
            response.headers.add("x-consul-index", "\(index)")
            response.headers.add("x-consul-knownleader", "true")
            response.headers.add("x-consul-lastcontact", "0")
        }
        if isFiltered { response.headers.add("x-consul-results-filtered-by-acls", "true") }
        return response
    }

    static func json(_ value: some Encodable, index: UInt64? = nil, isFiltered: Bool = false) throws -> HTTPResponse {
        let text = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
        return .json(text, index: index, isFiltered: isFiltered)
    }
}
