internal import HTTP
internal import HTTPCodec
internal import ServiceKit
internal import Synchronization
internal import Telemetry

/// `/openapi.json` of the whole platform: what the services behind the gateway say of themselves, merged. Documents are
/// asked for when somebody asks the gateway and what it has is old; all side by side, in bounded time, each only when
/// it has changed. What a service that does not answer said last stays in, and it is named.
final class APICatalogue: Sendable {
    /// A service's document as it was last read.
    private struct Known: Sendable {
        let tag: String?
        let document: JSONTree
    }

    /// What is answered.
    private struct Snapshot: Sendable {
        let whole: ServedDocument
        let parts: [String: ServedDocument]
    }

    private struct State: Sendable {
        var known: [String: Known] = [:]
        var absent: [MergedDocument.Absence] = []
        var last: (snapshot: Snapshot, at: UInt64)?
        var running: Task<Snapshot, Never>?
    }

    private enum Answer: Sendable {
        case unchanged
        case document(Known)
        case failed(String)
    }

    private let table: RoutingTable
    private let services: ServiceClient
    private let client: HTTPClient
    private let own: @Sendable () -> JSONTree
    private let freshNanoseconds: UInt64
    private let state = Mutex(State())

    private static let timeoutMilliseconds = 2_000
    /// The largest document of ours has 0.2 MB.
    private static let maxDocumentBytes = 4 << 20

    /// - Parameters: freshSeconds: how long documents count as new. - own: what the gateway says of its own routes.
    init(
        table: RoutingTable, services: ServiceClient, client: HTTPClient, freshSeconds: Int,
        own: @escaping @Sendable () -> JSONTree
    ) {
        self.table = table
        self.services = services
        self.client = client
        self.own = own
        freshNanoseconds = UInt64(freshSeconds) * 1_000_000_000
    }

    /// The document of everything.
    @Sendable func whole(_ request: Request) async throws -> HTTPResponse {
        await snapshot().whole.response(to: request)
    }

    /// The document of one service's public paths.
    @Sendable func part(_ request: Request) async throws -> HTTPResponse {
        guard let part = await snapshot().parts[request.parameter("service")] else { throw Self.unknown }
        return part.response(to: request)
    }

    /// The page of one service's public paths.
    @Sendable func page(_ request: Request) throws -> HTTPResponse {
        guard table.services.contains(request.parameter("service")) else { throw Self.unknown }
        return DocumentationPage.page()
    }

    private static let unknown = HTTPError(.notFound, "not_found", "there is no such service behind the gateway")

    // MARK: Refreshing

    private func snapshot() async -> Snapshot {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let (fresh, running): (Snapshot?, Task<Snapshot, Never>?) = state.withLock { state in
            if let last = state.last, now - last.at < freshNanoseconds { return (last.snapshot, nil) }
            if let running = state.running { return (nil, running) }
            // Of no request: who goes away must not cancel what others wait for, nor make a trace.
            let task = Task.detached { [self] in
                await TelemetryContext.$current.withValue(.unsampled) { await refresh() }
            }
            state.running = task
            return (nil, task)
        }
        if let fresh { return fresh }
        guard let running else { return merge([:], []) }
        return await running.value
    }

    private func refresh() async -> Snapshot {
        let (known, absentBefore, last) = state.withLock { ($0.known, $0.absent, $0.last?.snapshot) }
        let answers = await withTaskGroup(of: (String, Answer).self) { group in
            for name in table.services { group.addTask { (name, await self.ask(name, known[name]?.tag)) } }
            var answers: [String: Answer] = [:]
            for await (name, answer) in group { answers[name] = answer }
            return answers
        }
        var now = known
        var absent: [MergedDocument.Absence] = []
        var hasChanged = last == nil
        for name in table.services {
            switch answers[name] {
            case .document(let document)?:
                hasChanged = hasChanged || now[name]?.document != document.document
                now[name] = document
            case .failed(let problem)?:
                absent.append(.init(service: name, problem: problem, isKnown: now[name] != nil))
            case .unchanged?, nil: break
            }
        }
        var snapshot = last
        if hasChanged || absent != absentBefore { snapshot = merge(now, absent) }
        let result = snapshot ?? merge(now, absent)
        state.withLock { state in
            state.known = now
            state.absent = absent
            state.last = (result, TelemetryClock.system.monotonicNanoseconds())
            state.running = nil
        }
        return result
    }

    private func ask(_ name: String, _ tag: String?) async -> Answer {
        do {
            var request = HTTPRequest(method: .get, target: "/openapi.json")
            if let tag { request.headers.add("if-none-match", tag) }
            let response = try await client.send(
                request, to: try services.url(of: name), timeoutMilliseconds: Self.timeoutMilliseconds,
                urlTemplate: "/openapi.json")
            if response.status == .notModified, tag != nil { return .unchanged }
            guard response.status == .ok else { return .failed("answered \(response.status.code)") }
            let body = try await response.body.collect(upTo: Self.maxDocumentBytes)
            guard let document = try? JSONTree(reading: body), document["openapi"]?.text?.hasPrefix("3.1.") == true
            else { return .failed("what it answers is no OpenAPI 3.1 document") }
            return .document(Known(tag: response.headers["etag"], document: document))
        } catch {
            return .failed("does not answer")
        }
    }

    private func merge(_ known: [String: Known], _ absent: [MergedDocument.Absence]) -> Snapshot {
        var whole = MergedDocument()
        whole.add(own(), of: "gateway") { _ in true }
        var parts: [String: ServedDocument] = [:]
        for name in table.services {
            var part = MergedDocument()
            if let document = known[name]?.document {
                let isRouted = { [table] (path: String) in table.entry(for: path)?.service == name }
                whole.add(document, of: name, isRouted: isRouted)
                part.add(document, of: name, isRouted: isRouted)
            }
            let text = part.render(
                title: name, about: "what the gateway lets through to it", absent: absent.filter { $0.service == name })
            parts[name] = ServedDocument(text.bytes)
        }
        let text = whole.render(
            title: "Vitrine", about: "everything that the gateway lets through", absent: absent)
        return Snapshot(whole: ServedDocument(text.bytes), parts: parts)
    }
}
