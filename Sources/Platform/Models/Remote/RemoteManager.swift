internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Values

/// Reads and writes the rows of a model through the routes of the service that keeps it, as the caller.
struct RemoteManager<M: Model>: Sendable {
    let service: RemoteService
    let path: String

    private var schema: Schema<M> { M.schema }
    private static var maxUpdateAttempts: Int { 3 }

    // MARK: Reading

    func find(_ id: ID, _ caller: Caller) async throws -> M? {
        do {
            return try decode(
                try await service.exchange(.get, rowPath(id, caller), template: path + "/{id}", as: caller))
        } catch let error as ServiceCallError where error.status == .notFound {
            return nil
        } catch { throw Self.told(error) }
    }

    func list(_ query: ListQuery, _ caller: Caller) async throws -> Page<M> {
        let target = path + Self.queryString(query.parameters + Self.crossing(caller))
        do {
            let body = try await service.exchange(.get, target, template: path, as: caller)
            guard let node = try? JSONNode(whole: body), let members = try? node.members(),
                let items = try members.first(where: { $0.name == "items" })?.value.elements()
            else { throw unexpected }
            let cursor = members.first { $0.name == "next_cursor" }?.value
            return Page(
                items: try items.map(decode), nextCursor: cursor.flatMap { Int($0.text) }, limit: query.limit)
        } catch { throw Self.told(error) }
    }

    // MARK: Writing

    func create(_ model: M, _ caller: Caller, idempotencyKey: String?) async throws -> M {
        let target = path + Self.queryString(Self.crossing(caller))
        do {
            return try decode(
                try await service.exchange(
                    .post, target, template: path, as: caller, body: schema.input(model, isNew: true),
                    headers: [("idempotency-key", idempotencyKey ?? ID.make().description)]))
        } catch { throw Self.told(error) }
    }

    /// Reads, changes, and writes on the condition that nobody else did; starts over when somebody has.
    func update(_ id: ID, _ caller: Caller, _ change: (inout M) async throws -> Void) async throws -> M {
        var attempt = 1
        while true {
            guard let old = try await find(id, caller) else { throw schema.notFound }
            var new = old
            try await change(&new)
            try schema.checkIsWritable(new, unlike: old)
            do {
                return try decode(
                    try await service.exchange(
                        .put, rowPath(id, caller), template: path + "/{id}", as: caller,
                        body: schema.input(new, isNew: false), headers: [("if-match", schema.entityTag(old))],
                        // Repeated, it would find its own change and fail.
                        isRepeatable: false))
            } catch let error as ServiceCallError where error.status?.code == 412 && attempt < Self.maxUpdateAttempts {
                attempt += 1
            } catch { throw Self.told(error) }
        }
    }

    func delete(_ id: ID, _ caller: Caller) async throws {
        do {
            _ = try await service.exchange(.delete, rowPath(id, caller), template: path + "/{id}", as: caller)
        } catch let error as ServiceCallError where error.status == .notFound && error.attempts > 1 {
            // It was there when the first attempt was made, whose answer was lost.
        } catch { throw Self.told(error) }
    }

    // MARK: Addresses

    private func rowPath(_ id: ID, _ caller: Caller) -> String {
        "\(path)/\(id)" + Self.queryString(Self.crossing(caller))
    }

    /// How the other service is told that a superuser works in another company.
    private static func crossing(_ caller: Caller) -> [(String, String)] {
        caller.crossing.map { [(Caller.parameter, $0)] } ?? []
    }

    private static func queryString(_ parameters: [(String, String)]) -> String {
        if parameters.isEmpty { return "" }
        return "?" + parameters.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
    }

    // MARK: Answers

    private func decode(_ body: [UInt8]) throws -> M {
        guard let node = try? JSONNode(whole: body) else { throw unexpected }
        return try decode(node)
    }

    private func decode(_ node: JSONNode) throws -> M {
        guard let model = schema.model(json: node) else { throw unexpected }
        return model
    }

    private var unexpected: ServiceCallError {
        ServiceCallError(
            service: service.name, status: .badGateway, message: "its answer is not the \(schema.name) expected")
    }

    /// A refusal of what the caller wants reads as the local manager's would; everything else keeps status and cause.
    private static func told(_ error: any Error) -> any Error {
        guard let error = error as? ServiceCallError else { return error }
        return error.asClientError ?? error
    }
}

extension ListQuery {
    /// The parameters that say the same over HTTP.
    var parameters: [(String, String)] {
        var result = [("limit", "\(limit)"), ("direction", isDescending ? "desc" : "asc")]
        if let cursor { result.append(("cursor", "\(cursor)")) }
        if let search { result.append(("search", search)) }
        if !order.isEmpty {
            let names = order.map { ($0.isDescending ? "-" : "") + $0.column }
            result.append(("order_by", names.joined(separator: ",")))
        }
        return result + filters.map { ($0.comparison.parameterName($0.column), $0.text) }
    }
}

extension Schema {
    /// Here a service is a client like others: a change that would not be sent is told instead of lost.
    /// - Throws: `HTTPError` 422.
    fileprivate func checkIsWritable(_ new: M, unlike old: M) throws {
        let fixed = withUnsafePointer(to: new) { new in
            withUnsafePointer(to: old) { old in
                fields.first { !$0.isWritableOnUpdate && !$0.isSame(new, old) }
            }
        }
        guard let fixed else { return }
        throw HTTPError.invalid(
            ["body", fixed.name], "Only the service that keeps the \(name) changes it", type: "read_only")
    }

    /// The body that creates or replaces a row over HTTP: what clients may write, no more.
    func input(_ model: M, isNew: Bool) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 512)
        buffer.append("{\"vars\":" as StaticString)
        model.base.vars.write(to: &buffer)
        withUnsafePointer(to: M()) { template in
            withUnsafePointer(to: model) { model in
                for field in fields where isNew ? field.isWritableOnCreate : field.isWritableOnUpdate {
                    // What is never given out cannot have been read: it is sent when it was set.
                    if !field.isVisible, field.isSame(model, template) { continue }
                    buffer.append(",\"\(field.name)\":")
                    field.write(model, &buffer)
                }
            }
        }
        buffer.append(UInt8(ascii: "}"))
        return buffer.array()
    }

    /// Reads what another service gave out; members that this version does not know are left alone.
    /// - Returns: nil when a field is missing or is not what the schema says.
    func model(json node: JSONNode) -> M? {
        guard node.kind == .object, let members = try? node.members() else { return nil }
        func base<V: FieldValue>(_ name: String, _ type: V.Type = V.self) -> V? {
            members.first { $0.name == name }.flatMap { try? V.read(json: JSONInput(node: $0.value), V.openRule) }
        }
        guard let id: ID = base("id"), let lsn: Int = base("lsn"), let vars: JSONObject = base("vars"),
            let company: ID? = base("company_id")
        else { return nil }
        var model = M()
        var columns = Base()
        columns.id = id
        columns.lsn = lsn
        columns.vars = vars
        columns.companyID = company
        guard let created = base("created_at", Timestamp.self), let updated = base("updated_at", Timestamp.self) else {
            return nil
        }
        columns.createdAt = created
        columns.updatedAt = updated
        model.base = columns
        let isComplete = withUnsafeMutablePointer(to: &model) { model in
            fields.filter(\.isVisible).allSatisfy { field in
                guard let member = members.first(where: { $0.name == field.name }) else {
                    return field.facts.isOptional || field.traits.contains(.defaulted)
                }
                return (try? field.assign(model, JSONInput(node: member.value))) != nil
            }
        }
        return isComplete ? model : nil
    }
}
