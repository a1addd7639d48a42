internal import HTTPCodec
internal import ServiceKit

/// Turns what a client sends into a model: every field checked, every problem told, nothing taken that the schema does
/// not let clients write.
struct ModelInput<M: Model> {
    enum Mode {
        /// POST: what is missing is required, or starts as the type says.
        case create
        /// PUT: what is missing becomes what it starts as; what clients cannot see stays.
        case replace
        /// PATCH, as RFC 7396 merges: what is missing stays, `null` empties.
        case merge
    }

    let mode: Mode
    private let members: [(name: String, value: JSONNode)]

    private static var maxMembers: Int { 256 }
    /// Most problems that one answer tells of.
    private static var maxProblems: Int { 20 }

    /// - Throws: 422 when the body is no object.
    init(_ bytes: [UInt8], mode: Mode) throws {
        guard let node = try? JSONNode(whole: bytes), node.kind == .object, let members = try? node.members() else {
            throw HTTPError.invalid(["body"], "Input should be a valid object", type: "dict_type")
        }
        // No model has so many fields; looking each of a hundred thousand up would cost more than they are worth.
        guard members.count <= Self.maxMembers else {
            throw HTTPError.invalid(["body"], "at most \(Self.maxMembers) fields", type: "too_long")
        }
        self.mode = mode
        self.members = members
    }

    /// Writes the fields into a model.
    /// - Throws: `HTTPError` 422 with a problem for each field that is wrong.
    func apply(to model: inout M) throws {
        var problems: [HTTPError.FieldError] = []
        let template = M()
        var base = model.base
        for (name, value) in members where name == "vars" {
            do throws(FieldProblem) {
                base.vars = try JSONObject.read(json: JSONInput(node: value), NoRule())
            } catch { problems.append(Self.error(name, error)) }
        }
        if mode == .replace, !members.contains(where: { $0.name == "vars" }) { base.vars = .empty }
        model.base = base
        withUnsafePointer(to: template) { template in
            withUnsafeMutablePointer(to: &model) { model in
                for field in M.schema.fields {
                    if let problem = apply(field, to: model, template) { problems.append(problem) }
                }
            }
        }
        problems += unknown
        guard let first = problems.first else { return }
        throw HTTPError(
            .unprocessableContent, "validation",
            "\(first.location.dropFirst().joined(separator: ".")): \(first.message)",
            fields: Array(problems.prefix(Self.maxProblems)))
    }

    private func apply(
        _ field: Field<M>, to model: UnsafeMutablePointer<M>, _ template: UnsafePointer<M>
    ) -> HTTPError.FieldError? {
        guard isWritable(field) else { return nil }
        if let member = members.first(where: { $0.name == field.name }) {
            do throws(FieldProblem) {
                try field.assign(model, JSONInput(node: member.value))
                return nil
            } catch { return Self.error(field.name, error) }
        }
        switch mode {
        case .merge: return nil
        case .replace where !field.isVisible: return nil
        case .create, .replace:
            if field.isRequired { return Self.error(field.name, FieldProblem("Field required", type: "missing")) }
            if mode == .replace { field.reset(model, template) }
            return nil
        }
    }

    private func isWritable(_ field: Field<M>) -> Bool {
        mode == .create ? field.isWritableOnCreate : field.isWritableOnUpdate
    }

    private var unknown: [HTTPError.FieldError] {
        members.filter { member in
            member.name != "vars" && !M.schema.fields.contains { $0.name == member.name && isWritable($0) }
        }.map { Self.error($0.name, FieldProblem("Extra inputs are not permitted", type: "extra_forbidden")) }
    }

    private static func error(_ name: String, _ problem: FieldProblem) -> HTTPError.FieldError {
        // A name is the client's own: what comes back of it is bounded.
        HTTPError.FieldError(["body", String(name.prefix(100))], problem.message, type: problem.type)
    }
}

extension Schema {
    /// Whether a model that code has made or changed obeys its rules.
    /// - Throws: `HTTPError` 422.
    func check(_ model: M) throws {
        let problems = withUnsafePointer(to: model) { model in
            fields.compactMap { field -> HTTPError.FieldError? in
                do throws(FieldProblem) {
                    try field.check(model)
                    return nil
                } catch { return HTTPError.FieldError(["body", field.name], error.message, type: error.type) }
            }
        }
        guard let first = problems.first else { return }
        throw HTTPError(
            .unprocessableContent, "validation",
            "\(first.location.dropFirst().joined(separator: ".")): \(first.message)",
            fields: problems)
    }
}
