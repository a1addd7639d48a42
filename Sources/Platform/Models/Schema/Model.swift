package import Values

/// A kind of row that a service keeps, or reads from another service: one Swift type, and one schema beside it that
/// drives its table, its JSON, its validation errors, its filters, its permissions and its OpenAPI document alike.
///
///     struct Supplier: Model {
///         var base = Base()
///         var code = ""
///         var name = ""
///         var email: String?
///
///         static let schema = Schema<Supplier>("suppliers") {
///             Field("code", \.code, .code, .unique, .searchable)
///             Field("name", \.name, .line(1...200), .searchable)
///             Field("email", \.email, .email, .sensitive)
///         }
///     }
package protocol Model: Sendable {
    /// A model with the values that its `defaulted` fields start with.
    init()
    /// The columns that every table has.
    var base: Base { get set }
    static var schema: Schema<Self> { get }
}

/// The columns that every table has (P3). The database keeps them: nobody writes them but through it.
package struct Base: Sendable, Hashable {
    /// `ID.none` until the row is stored.
    package var id = ID.none
    /// The place of the row in its table: grows with every row.
    package internal(set) var lsn = 0
    package internal(set) var createdAt = Timestamp(microseconds: 0)
    /// Later with every change, if only by a microsecond: the version of the row.
    package internal(set) var updatedAt = Timestamp(microseconds: 0)
    /// What the tenant hangs onto the row.
    package var vars = JSONObject.empty
    /// The tenant; nil for the platform's own.
    package internal(set) var companyID: ID?

    package init() {}
}
