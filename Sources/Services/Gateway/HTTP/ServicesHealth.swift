internal import HTTP
internal import HTTPCodec
internal import ServiceKit
internal import Synchronization
internal import Telemetry

/// How the services behind the gateway are: each is asked whether it is ready, side by side, in bounded time, and at
/// most once a second however often the gateway itself is asked.
final class ServicesHealth: Sendable {
    /// What is answered.
    struct Answer: Decodable, Sendable {
        let status: String
        let services: [String: String]
    }

    private struct State: Sendable {
        var last: (response: HTTPResponse, at: UInt64)?
        var running: Task<HTTPResponse, Never>?
    }

    private let names: [String]
    private let services: ServiceClient
    private let client: HTTPClient
    private let state = Mutex(State())

    private static let freshNanoseconds: UInt64 = 1_000_000_000
    private static let timeoutMilliseconds = 2_000

    init(_ names: [String], services: ServiceClient, client: HTTPClient) {
        self.names = names
        self.services = services
        self.client = client
    }

    @Sendable func answer(_ request: Request) async throws -> HTTPResponse {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let (fresh, running): (HTTPResponse?, Task<HTTPResponse, Never>?) = state.withLock { state in
            if let last = state.last, now - last.at < Self.freshNanoseconds { return (last.response, nil) }
            if let running = state.running { return (nil, running) }
            // Of no request: a probe that goes away must not cancel what others wait for, nor make a trace.
            let task = Task.detached { [self] in
                await TelemetryContext.$current.withValue(.unsampled) { await askAll() }
            }
            state.running = task
            return (nil, task)
        }
        if let fresh { return fresh }
        guard let running else { return .empty(.serviceUnavailable) }
        return await running.value
    }

    private func askAll() async -> HTTPResponse {
        let isReady = await withTaskGroup(of: (Int, Bool).self) { group in
            for (index, name) in names.enumerated() { group.addTask { (index, await self.isReady(name)) } }
            var all = [Bool](repeating: false, count: names.count)
            for await (index, isReady) in group { all[index] = isReady }
            return all
        }
        let response = Self.response(names, isReady)
        state.withLock { state in
            state.last = (response, TelemetryClock.system.monotonicNanoseconds())
            state.running = nil
        }
        return response
    }

    private func isReady(_ name: String) async -> Bool {
        guard let url = try? services.url(of: name),
            let response = try? await client.send(
                HTTPRequest(method: .get, target: "/health/ready"), to: url,
                timeoutMilliseconds: Self.timeoutMilliseconds, urlTemplate: "/health/ready")
        else { return false }
        return response.status == .ok
    }

    private static func response(_ names: [String], _ isReady: [Bool]) -> HTTPResponse {
        let isUp = isReady.allSatisfy { $0 }
        var body = ByteBuffer(capacity: 512)
        body.append(isUp ? "{\"status\":\"up\",\"services\":{" : "{\"status\":\"down\",\"services\":{" as StaticString)
        for (index, name) in names.enumerated() {
            if index > 0 { body.append("," as StaticString) }
            body.appendJSONString(name)
            body.append(isReady[index] ? ":\"up\"" : ":\"down\"" as StaticString)
        }
        body.append("}}" as StaticString)
        return .json(bytes: body.array(), status: isUp ? .ok : .serviceUnavailable)
    }
}
