internal import HTTPCodec

/// Finds the route of a request: a tree of path segments, built once, read without locks or allocations. A literal
/// segment wins over a parameter; `/x` and `/x/` are the same route.
final class Router: Sendable {
    /// The end of a template: what its methods do.
    final class Endpoint: Sendable {
        let template: String
        /// By `MethodLabel`; GET also answers HEAD.
        let routes: [Route?]
        /// By `MethodLabel`, for the methods that have a route.
        let observers: [RouteTelemetry?]
        /// For `Allow` (RFC 9110, section 10.2.1).
        let allow: String
        let telemetry: TemplateTelemetry

        init(template: String, routes: [Route?], telemetry: TemplateTelemetry) {
            self.template = template
            self.routes = routes
            self.telemetry = telemetry
            observers = MethodLabel.allCases.map { method in
                // HEAD is rare: its series come with its first request.
                method == .head || routes[method.rawValue] == nil ? nil : telemetry.method(method)
            }
            var names = MethodLabel.allCases.filter { routes[$0.rawValue] != nil }.map(\.name)
            if routes[MethodLabel.options.rawValue] == nil { names.append(MethodLabel.options.name) }
            allow = names.sorted().joined(separator: ", ")
        }
    }

    private final class Node: Sendable {
        let literals: [(text: [UInt8], node: Node)]
        let parameter: Node?
        let endpoint: Endpoint?

        init(literals: [(text: [UInt8], node: Node)], parameter: Node?, endpoint: Endpoint?) {
            self.literals = literals
            self.parameter = parameter
            self.endpoint = endpoint
        }
    }

    /// Every template, in the order of declaration.
    let endpoints: [Endpoint]
    private let root: Node
    /// Prefixes with their error shapes, the longest first: how a path that has no route reports it.
    private let shapes: [(prefix: String, shape: ErrorShape)]

    /// - Parameter telemetry: makes the series of a template.
    /// - Throws: `RouteConflict` when two routes could answer the same request.
    init(
        routes: [Route], shapes: [(prefix: String, shape: ErrorShape)], telemetry: (String) -> TemplateTelemetry
    ) throws {
        self.shapes = shapes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
        let draft = Draft()
        for route in routes { try draft.insert(route) }
        var endpoints: [Endpoint] = []
        root = draft.freeze(telemetry, &endpoints)
        self.endpoints = endpoints
    }

    /// The endpoint of a request target (its query is ignored); nil when there is none.
    func endpoint(of target: String) -> Endpoint? {
        let bytes = target.utf8.span
        var end = 0
        while end < bytes.count, bytes[end] != UInt8(ascii: "?") { end &+= 1 }
        guard end > 0, bytes[0] == UInt8(ascii: "/") else { return nil }
        if end == 1 { return root.endpoint }
        if bytes[end &- 1] == UInt8(ascii: "/") { end &-= 1 }
        return Self.find(root, bytes, 1, end)
    }

    /// - Parameter start: the first byte of the next segment.
    private static func find(_ node: Node, _ path: Span<UInt8>, _ start: Int, _ end: Int) -> Endpoint? {
        guard start < end else { return start == end ? nil : node.endpoint }
        var stop = start
        var isEncoded = false
        while stop < end, path[stop] != UInt8(ascii: "/") {
            if path[stop] == UInt8(ascii: "%") { isEncoded = true }
            stop &+= 1
        }
        guard stop > start else { return nil }
        // One past the slash: past the end when this was the last segment.
        let next = stop &+ 1
        for (text, child) in node.literals where matches(text, path, start, stop) {
            if let found = find(child, path, next, end) { return found }
        }
        guard let parameter = node.parameter else { return nil }
        // Nothing can live under a name that is no text.
        if isEncoded, !isText(path, start, stop) { return nil }
        return find(parameter, path, next, end)
    }

    private static func matches(_ text: [UInt8], _ path: Span<UInt8>, _ start: Int, _ stop: Int) -> Bool {
        guard text.count == stop &- start else { return false }
        let text = text.span
        for index in 0..<text.count where text[index] != path[start &+ index] { return false }
        return true
    }

    private static func isText(_ path: Span<UInt8>, _ start: Int, _ stop: Int) -> Bool {
        let segment = path.extracting(start..<stop).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        return PercentEncoding.decode(segment, plusIsSpace: false) != nil
    }

    /// The error shape of the longest declared prefix of this path.
    func shape(of target: String) -> ErrorShape {
        shapes.first { prefix, _ in
            guard target.hasPrefix(prefix) else { return false }
            let next = target.utf8.dropFirst(prefix.utf8.count).first
            return prefix.hasSuffix("/") || next == nil || next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
        }?.shape ?? .problem
    }

    // MARK: Building

    private final class Draft {
        private var literals: [(text: String, draft: Draft)] = []
        private var parameter: Draft?
        private var routes: [Route?] = Array(repeating: nil, count: MethodLabel.allCases.count)
        private var template = ""

        func insert(_ route: Route) throws {
            var draft = self
            for segment in PathTemplate.segments(of: route.template) { draft = draft.child(segment) }
            guard draft.routes[route.method.rawValue] == nil else {
                throw RouteConflict(method: route.method.name, template: route.template, other: draft.template)
            }
            if draft.template.isEmpty { draft.template = route.template }
            draft.routes[route.method.rawValue] = route
        }

        private func child(_ segment: PathTemplate.Segment) -> Draft {
            switch segment {
            case .literal(let text):
                if let known = literals.first(where: { $0.text == text }) { return known.draft }
                let new = Draft()
                literals.append((text, new))
                return new
            case .parameter:
                if let parameter { return parameter }
                let new = Draft()
                parameter = new
                return new
            }
        }

        func freeze(_ telemetry: (String) -> TemplateTelemetry, _ endpoints: inout [Endpoint]) -> Node {
            let get = MethodLabel.get.rawValue
            let head = MethodLabel.head.rawValue
            if routes[head] == nil { routes[head] = routes[get] }
            var endpoint: Endpoint?
            if !template.isEmpty {
                let new = Endpoint(template: template, routes: routes, telemetry: telemetry(template))
                endpoints.append(new)
                endpoint = new
            }
            var children: [(text: [UInt8], node: Node)] = []
            for (text, draft) in literals { children.append((Array(text.utf8), draft.freeze(telemetry, &endpoints))) }
            return Node(
                literals: children, parameter: parameter?.freeze(telemetry, &endpoints), endpoint: endpoint)
        }
    }
}

/// Two routes of a service take the same requests.
package struct RouteConflict: Error, CustomStringConvertible {
    let method: String
    let template: String
    let other: String
    package var description: String {
        "\(method) \(template) is declared twice (it takes the same requests as \(other)): remove one"
    }
}
