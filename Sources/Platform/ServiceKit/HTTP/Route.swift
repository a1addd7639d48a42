package import HTTP
package import HTTPCodec

/// Routes that share a prefix and an error shape.
package final class RouteGroup {
    package typealias Handler = @Sendable (Request) async throws -> HTTPResponse
    /// Answers without waiting for anything: no task takes part. A closure without `await` is one of these.
    package typealias ImmediateHandler = @Sendable (Request) throws -> HTTPResponse

    private let prefix: String
    private let shape: ErrorShape
    private(set) var routes: [Route] = []
    /// What the document says of each route.
    var operations: [APIOperation] = []

    init(prefix: String, shape: ErrorShape) {
        self.prefix = prefix
        self.shape = shape
    }

    @discardableResult
    package func get(_ path: String, _ access: Access, _ handler: @escaping Handler) -> RouteNotes {
        on(.get, path, access, handler)
    }
    @discardableResult
    package func get(_ path: String, _ access: Access, _ handler: @escaping ImmediateHandler) -> RouteNotes {
        add(.get, path, access, nil, .immediate(handler))
    }
    @discardableResult
    package func post(
        _ path: String, _ access: Access, maxBodyBytes: Int? = nil, _ handler: @escaping Handler
    ) -> RouteNotes { on(.post, path, access, maxBodyBytes: maxBodyBytes, handler) }
    @discardableResult
    package func put(
        _ path: String, _ access: Access, maxBodyBytes: Int? = nil, _ handler: @escaping Handler
    ) -> RouteNotes { on(.put, path, access, maxBodyBytes: maxBodyBytes, handler) }
    @discardableResult
    package func patch(
        _ path: String, _ access: Access, maxBodyBytes: Int? = nil, _ handler: @escaping Handler
    ) -> RouteNotes { on(.patch, path, access, maxBodyBytes: maxBodyBytes, handler) }
    @discardableResult
    package func delete(_ path: String, _ access: Access, _ handler: @escaping Handler) -> RouteNotes {
        on(.delete, path, access, handler)
    }

    /// Declares a route.
    /// - Parameters:
    ///   - path: appended to the group's prefix; `{name}` stands for one segment; a slash at the end makes no difference.
    ///   - maxBodyBytes: the largest body that is read; 1 MiB unless told otherwise.
    /// - Returns: where to say more of it, for the OpenAPI document.
    @discardableResult
    package func on(
        _ method: HTTPMethod, _ path: String, _ access: Access, maxBodyBytes: Int? = nil, _ handler: @escaping Handler
    ) -> RouteNotes { add(method, path, access, maxBodyBytes, .waiting(handler)) }

    private func add(
        _ method: HTTPMethod, _ path: String, _ access: Access, _ maxBodyBytes: Int?, _ handler: RouteHandler
    ) -> RouteNotes {
        let route = Route(
            method: MethodLabel(method), template: prefix + path, access: access, shape: shape,
            maxBodyBytes: maxBodyBytes ?? Route.defaultMaxBodyBytes, handler: handler)
        routes.append(route)
        operations.append(APIOperation(route, group: prefix))
        return RouteNotes(group: self, index: operations.count - 1)
    }
}

/// What answers the requests of a route.
enum RouteHandler: Sendable {
    case immediate(RouteGroup.ImmediateHandler)
    case waiting(RouteGroup.Handler)
    /// Decides what becomes of each request.
    case deciding(@Sendable (Request) throws -> HTTPDisposition)

    /// What it answers, for a task on the loop of the request that waits for it.
    func response(to request: Request) async throws -> HTTPResponse {
        switch self {
        case .immediate(let handler): return try handler(request)
        case .waiting(let handler): return try await handler(request)
        case .deciding(let handler):
            switch try handler(request) {
            case .answered(let response): return response
            case .waiting(let work): return try await work()
            case .promised(let promise): return try await promise.value()
            }
        }
    }
}

/// One operation of a service: a method on a path template, who may call it, and what answers.
final class Route: Sendable {
    static let defaultMaxBodyBytes = 1024 * 1024

    let method: MethodLabel
    let template: String
    let access: Access
    let shape: ErrorShape
    let maxBodyBytes: Int
    /// Scraped and probed all day: measured like any other, logged for debugging only.
    let isQuiet: Bool
    let handler: RouteHandler
    /// The permission that its access asks for.
    let grant: PermissionDirectory.Grant?
    /// The template's parameters with the number of their segment.
    let parameters: [PathParameter]

    init(
        method: MethodLabel, template: String, access: Access, shape: ErrorShape,
        maxBodyBytes: Int = Route.defaultMaxBodyBytes, isQuiet: Bool = false, handler: RouteHandler
    ) {
        self.method = method
        self.template = template
        self.access = access
        self.shape = shape
        self.maxBodyBytes = maxBodyBytes
        self.isQuiet = isQuiet
        self.handler = handler
        if case .permission(let grant) = access { self.grant = grant } else { grant = nil }
        parameters = PathTemplate.segments(of: template).enumerated().compactMap { index, segment in
            if case .parameter(let name) = segment { PathParameter(name: name, segment: index) } else { nil }
        }
    }

    /// The answer to a caller whose permission had to be asked for.
    func asked(_ grant: PermissionDirectory.Grant, _ request: Request) async throws -> HTTPResponse {
        try await grant.check(request.identity)
        return try await handler.response(to: request)
    }
}

/// A `{name}` of a template.
struct PathParameter: Sendable {
    let name: String
    /// Segments before it.
    let segment: Int
}

/// A path template taken apart at its slashes.
enum PathTemplate {
    enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    /// A slash at the end adds no segment.
    static func segments(of template: String) -> [Segment] {
        template.split(separator: "/", omittingEmptySubsequences: true).map { part in
            part.first == "{" && part.last == "}"
                ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
    }
}
