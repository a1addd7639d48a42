package import PostgreSQL
internal import ServiceKit

/// What a service does beside storing a row, in the same transaction: what a hook throws undoes the change, and its
/// `HTTPError` is what the client is told.
package struct Hooks<M: Model>: Sendable {
    package typealias BeforeCreate = @Sendable (_ new: inout M, HookContext) async throws -> Void
    package typealias BeforeUpdate = @Sendable (_ old: M, _ new: inout M, HookContext) async throws -> Void
    package typealias AfterUpdate = @Sendable (_ old: M, _ new: M, HookContext) async throws -> Void
    package typealias OnRow = @Sendable (M, HookContext) async throws -> Void

    package var beforeCreate: BeforeCreate?
    package var afterCreate: OnRow?
    package var beforeUpdate: BeforeUpdate?
    package var afterUpdate: AfterUpdate?
    package var beforeDelete: OnRow?
    package var afterDelete: OnRow?

    package init() {}
}

/// Where a hook runs.
package struct HookContext: Sendable {
    package let caller: Caller
    /// The transaction of the change; give it to managers as `in:`.
    package let transaction: PostgreSQLTransaction
}
