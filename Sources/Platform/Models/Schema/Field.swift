internal import PostgreSQL
internal import Telemetry

/// What a field is beyond its type and its rule.
package enum FieldTrait: Sendable, Hashable {
    /// `?search=` looks into it.
    case searchable
    /// No two rows of a company have the same value: 409.
    case unique
    /// May be left out when a row is created: it is then what `init()` says.
    case defaulted
    /// Set when a row is created, never changed by clients afterwards.
    case createOnly
    /// Set by the service only.
    case readOnly
    /// Taken in, never given out: neither in JSON nor in filters.
    case hidden
    /// Personal data: given to those who may see the row, but never in an address, since addresses are logged; so it
    /// cannot be filtered, searched or ordered by.
    case sensitive
    /// The table has an index on it, for filters.
    case indexed
}

/// One field of a model: its name in the table and in JSON, where it lies in the Swift type, its rule and its traits.
package struct Field<M: Model>: Sendable {
    package let name: String
    package let traits: Set<FieldTrait>
    package let about: String
    let facts: FieldFacts

    let load: @Sendable (UnsafeMutablePointer<M>, UnsafeRawBufferPointer?) -> Bool
    let parameter: @Sendable (UnsafePointer<M>) -> PostgreSQLParameter
    let write: @Sendable (UnsafePointer<M>, inout ByteBuffer) -> Void
    /// Writes the column as JSON; nil for a computed property, whose getter has the last word.
    let writeColumn: ColumnWriter?
    let assign: @Sendable (UnsafeMutablePointer<M>, JSONInput) throws(FieldProblem) -> Void
    let reset: @Sendable (UnsafeMutablePointer<M>, UnsafePointer<M>) -> Void
    let check: @Sendable (UnsafePointer<M>) throws(FieldProblem) -> Void
    let isSame: @Sendable (UnsafePointer<M>, UnsafePointer<M>) -> Bool
    let filter: @Sendable (String) throws(FieldProblem) -> PostgreSQLParameter

    /// A field with a rule.
    /// - Parameters:
    ///   - name: lower case with underscores: the column and the JSON member.
    ///   - about: one sentence for the API document.
    package init<V: FieldValue>(
        _ name: String, _ path: any WritableKeyPath<M, V> & Sendable, _ rule: V.Rule, _ traits: FieldTrait...,
        about: String = ""
    ) {
        self.init(name, Place(path), rule, Set(traits), about)
    }

    /// A field that may be anything of its type.
    package init<V: FieldValue>(
        _ name: String, _ path: any WritableKeyPath<M, V> & Sendable, _ traits: FieldTrait..., about: String = ""
    ) {
        self.init(name, Place(path), V.openRule, Set(traits), about)
    }

    private init<V: FieldValue>(
        _ name: String, _ place: Place<M, V>, _ rule: V.Rule, _ traits: Set<FieldTrait>, _ about: String
    ) {
        precondition(
            name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
                && !name.contains("__") && !Column.baseNames.contains(name),
            "'\(name)' is no name of a field: lower case, single underscores, and none of every table's own")
        self.name = name
        self.traits = traits
        self.about = about
        facts = V.facts(rule)
        load = { model, column in
            guard let value = V.read(column: column) else { return false }
            place.set(value, in: model)
            return true
        }
        parameter = { place.get($0).parameter }
        write = { model, buffer in place.get(model).write(to: &buffer) }
        writeColumn = place.offset == nil ? nil : V.columnWriter
        assign = { model, json throws(FieldProblem) in place.set(try V.read(json: json, rule), in: model) }
        reset = { model, template in place.set(place.get(template), in: model) }
        check = { model throws(FieldProblem) in try place.get(model).check(rule) }
        isSame = { place.get($0) == place.get($1) }
        filter = { text throws(FieldProblem) in try V.read(filter: text) }
    }

    // MARK: What clients may do

    /// Whether a client must send it to create a row.
    var isRequired: Bool { !facts.isOptional && !traits.contains(.defaulted) && isWritableOnCreate }
    var isWritableOnCreate: Bool { !traits.contains(.readOnly) }
    var isWritableOnUpdate: Bool { isWritableOnCreate && !traits.contains(.createOnly) }
    var isVisible: Bool { !traits.contains(.hidden) }
    var isFilterable: Bool { isVisible && !traits.contains(.sensitive) && !facts.operators.isEmpty }
    var isSearchable: Bool { traits.contains(.searchable) && isFilterable && facts.isText }
}

/// Where a value lies in a model. For a stored property that is an offset, and reading or writing it is one move; a
/// computed one goes through its key path.
private struct Place<M, V>: Sendable {
    let path: any WritableKeyPath<M, V> & Sendable
    let offset: Int?

    init(_ path: any WritableKeyPath<M, V> & Sendable) {
        self.path = path
        offset = MemoryLayout<M>.offset(of: path)
    }

    // Safety: `MemoryLayout.offset(of:)` is documented to be where the stored property lies in every value of `M`.
    func get(_ model: UnsafePointer<M>) -> V {
        guard let offset else { return model.pointee[keyPath: path] }
        return (UnsafeRawPointer(model) + offset).assumingMemoryBound(to: V.self).pointee
    }

    func set(_ value: V, in model: UnsafeMutablePointer<M>) {
        guard let offset else {
            model.pointee[keyPath: path] = value
            return
        }
        (UnsafeMutableRawPointer(model) + offset).assumingMemoryBound(to: V.self).pointee = value
    }
}

/// Collects the fields of a schema: each is type-checked by itself, so that a long list compiles as fast as a short one.
@resultBuilder
package enum FieldList<M: Model> {
    package static func buildExpression(_ field: Field<M>) -> Field<M> { field }
    package static func buildBlock(_ fields: Field<M>...) -> [Field<M>] { fields }
}
