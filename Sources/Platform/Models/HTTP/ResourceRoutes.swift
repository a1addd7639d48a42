internal import HTTP
internal import HTTPCodec
internal import PostgreSQL
internal import ServiceKit

/// The routes of a resource (P6): every answer, every refusal and every document comes from the model's schema.
struct ResourceRoutes<M: Model>: Sendable {
    let resource: Resource<M>
    let manager: LocalManager<M>
    let database: PostgreSQLClient

    func declare(_ routes: RouteGroup) {
        let permissions = resource.permissions
        if let access = permissions.list { routes.get("", access, list) }
        if let access = permissions.create { routes.post("", access, create) }
        if let access = permissions.get { routes.get("/{id}", access, show) }
        if let access = permissions.update {
            routes.put("/{id}", access) { try await change($0, .replace) }
            routes.patch("/{id}", access) { try await change($0, .merge) }
        }
        if let access = permissions.delete { routes.delete("/{id}", access, delete) }
        for action in resource.actions {
            routes.post("/{id}/\(action.name)", action.access) { try await perform(action, $0) }
        }
    }

    // MARK: Reading

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        let parameters = try request.queryParameters()
        let caller = try Caller(request, company: parameters[Caller.parameter])
        return .json(bytes: try await manager.listJSON(try ListQuery(parameters, of: M.schema), caller))
    }

    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let (id, caller) = try Self.target(request)
        let known = try EntityTags(request, "If-None-Match")
        guard let row = try await manager.findJSON(id, caller) else { throw M.schema.notFound }
        let tag = Schema<M>.entityTag(row.updatedAt)
        if let known, known.contains(weakly: tag) {
            var response = HTTPResponse(status: .notModified)
            response.headers.add("etag", tag)
            return response
        }
        return Self.answer(row.json, tag)
    }

    // MARK: Writing

    @Sendable private func create(_ request: Request) async throws -> HTTPResponse {
        let caller = try Self.caller(request)
        let body = try await request.jsonText()
        let use = try IdempotencyKeys.use(request.header(IdempotencyKeys.header), caller, resource.path, body)
        var model = M()
        try ModelInput<M>(body, mode: .create).apply(to: &model)
        model.base.id = .make()
        let new = model
        let (stored, isReplay) = try await database.transaction { [manager] transaction in
            if let use, let first = try await IdempotencyKeys.take(use, for: new.base.id, in: transaction) {
                guard let model = try await manager.find(first, caller, in: transaction) else {
                    throw HTTPError(.conflict, "idempotency.gone", "What this Idempotency-Key made is deleted")
                }
                return (model, true)
            }
            return (try await manager.create(new, caller, in: transaction), false)
        }
        var response = Self.answer(stored, status: .created)
        response.headers.add("location", "\(resource.path)/\(stored.base.id)")
        if isReplay { response.headers.add(IdempotencyKeys.replayedHeader, "true") }
        return response
    }

    private func change(_ request: Request, _ mode: ModelInput<M>.Mode) async throws -> HTTPResponse {
        let (id, caller) = try Self.target(request)
        let input = try ModelInput<M>(try await request.jsonText(), mode: mode)
        // A body that would be refused anyway is, before any condition is looked at (RFC 9110, section 13.2.1).
        var draft = M()
        try input.apply(to: &draft)
        let condition = try EntityTags(request, "If-Match")
        return try await update(id, caller, condition) { model, _ in try input.apply(to: &model) }
    }

    private func perform(_ action: Resource<M>.Action, _ request: Request) async throws -> HTTPResponse {
        let (id, caller) = try Self.target(request)
        return try await update(id, caller, try EntityTags(request, "If-Match"), action.body)
    }

    private func update(
        _ id: ID, _ caller: Caller, _ condition: EntityTags?,
        _ change: @escaping @Sendable (inout M, HookContext) async throws -> Void
    ) async throws -> HTTPResponse {
        let stored = try await database.transaction { [manager] transaction in
            let context = HookContext(caller: caller, transaction: transaction)
            return try await manager.update(
                id, caller, in: transaction, unless: { try Self.check($0, condition) },
                { try await change(&$0, context) })
        }
        return Self.answer(stored)
    }

    @Sendable private func delete(_ request: Request) async throws -> HTTPResponse {
        let (id, caller) = try Self.target(request)
        let condition = try EntityTags(request, "If-Match")
        try await database.transaction { [manager] transaction in
            try await manager.delete(id, caller, in: transaction) { try Self.check($0, condition) }
        }
        return .empty()
    }

    // MARK: Parts

    static func answer(_ model: M, status: HTTPStatus = .ok) -> HTTPResponse {
        answer(M.schema.json(model), M.schema.entityTag(model), status: status)
    }

    private static func answer(_ json: [UInt8], _ tag: String, status: HTTPStatus = .ok) -> HTTPResponse {
        var response = HTTPResponse.json(bytes: json, status: status)
        response.headers.add("etag", tag)
        return response
    }

    /// - Throws: `HTTPError` 404 for an id that is none, 401, 403, 422 for unknown parameters.
    static func target(_ request: Request, allowing parameters: Set<String> = []) throws -> (ID, Caller) {
        let caller = try caller(request, allowing: parameters)
        guard let id = ID(request.parameter("id")) else { throw M.schema.notFound }
        return (id, caller)
    }

    private static func caller(_ request: Request, allowing others: Set<String> = []) throws -> Caller {
        guard request.http.query != nil else { return try Caller(request, company: nil) }
        let parameters = try request.queryParameters()
        if let unknown = parameters.keys.sorted().first(where: {
            $0 != Caller.parameter && !others.contains($0)
        }) {
            throw HTTPError.invalid(
                ["query", String(unknown.prefix(100))], "There is no such parameter", type: "extra_forbidden")
        }
        return try Caller(request, company: parameters[Caller.parameter])
    }

    /// RFC 9110, section 13.1.1.
    private static func check(_ model: M, _ condition: EntityTags?) throws {
        guard let condition, !condition.contains(strongly: M.schema.entityTag(model)) else { return }
        throw HTTPError(
            HTTPStatus(412), "precondition_failed", "The \(M.schema.name) has changed since: read it again")
    }
}
