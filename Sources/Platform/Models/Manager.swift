package import PostgreSQL
internal import ServiceKit
internal import Tasks

/// Reads and writes rows of a model, wherever they live: in this service's database, or in another service that is asked
/// over HTTP. The caller need not know which.
package struct Manager<M: Model>: Sendable {
    enum Home: Sendable {
        case local(LocalManager<M>)
        case remote(RemoteManager<M>)
    }

    let home: Home
    /// Where work on rows waits for workers; nil in a service without tasks.
    let taskClient: TaskClient?

    // MARK: Reading

    /// The row with this id, or nil when the caller's company has none.
    /// - Parameter transaction: of this service's database, for a local model; nil reads on its own.
    /// - Throws: `PostgreSQLError`, or `ServiceCallError` with status and cause.
    package func find(_ id: ID, as caller: Caller, in transaction: PostgreSQLTransaction? = nil) async throws -> M? {
        switch home {
        case .local(let manager): try await manager.find(id, caller, in: transaction)
        case .remote(let manager): try await manager.find(id, caller)
        }
    }

    /// The row with this id.
    /// - Throws: `HTTPError` 404 when the caller's company has none; what `find` throws.
    package func get(_ id: ID, as caller: Caller, in transaction: PostgreSQLTransaction? = nil) async throws -> M {
        guard let model = try await find(id, as: caller, in: transaction) else { throw M.schema.notFound }
        return model
    }

    /// A page of rows.
    /// - Throws: `HTTPError` 422 for filters that do not fit; what `find` throws.
    package func list(
        _ query: ListQuery = ListQuery(), as caller: Caller, in transaction: PostgreSQLTransaction? = nil
    ) async throws -> Page<M> {
        switch home {
        case .local(let manager): try await manager.list(query, caller, in: transaction)
        case .remote(let manager): try await manager.list(query, caller)
        }
    }

    // MARK: Writing

    /// Stores a new row in the caller's company.
    /// - Parameter idempotencyKey: makes a call to another service one that may be repeated; nil makes one up.
    /// - Returns: the row as it is stored.
    /// - Throws: `HTTPError` 409 or 422 when it cannot be; what hooks throw.
    package func create(
        _ model: M, as caller: Caller, idempotencyKey: String? = nil, in transaction: PostgreSQLTransaction? = nil
    ) async throws -> M {
        switch home {
        case .local(let manager):
            try await Self.inTransaction(transaction, manager.database) {
                try await manager.create(model, caller, in: $0)
            }
        case .remote(let manager): try await manager.create(model, caller, idempotencyKey: idempotencyKey)
        }
    }

    /// Changes a row: nobody else's change is lost. `change` may run more than once.
    /// - Throws: `HTTPError` 404, 409 or 422; what `change` and hooks throw.
    package func update(
        _ id: ID, as caller: Caller, in transaction: PostgreSQLTransaction? = nil,
        _ change: @escaping @Sendable (inout M) async throws -> Void
    ) async throws -> M {
        switch home {
        case .local(let manager):
            try await Self.inTransaction(transaction, manager.database) { transaction in
                try await manager.update(id, caller, in: transaction, unless: { _ in }, change)
            }
        case .remote(let manager): try await manager.update(id, caller, change)
        }
    }

    /// Deletes a row.
    /// - Throws: `HTTPError` 404, or 409 when others refer to it; what hooks throw.
    package func delete(_ id: ID, as caller: Caller, in transaction: PostgreSQLTransaction? = nil) async throws {
        switch home {
        case .local(let manager):
            try await Self.inTransaction(transaction, manager.database) { transaction in
                try await manager.delete(id, caller, in: transaction) { _ in }
            }
        case .remote(let manager): try await manager.delete(id, caller)
        }
    }

    private static func inTransaction<T: Sendable>(
        _ transaction: PostgreSQLTransaction?, _ database: PostgreSQLClient,
        _ body: @escaping @Sendable (PostgreSQLTransaction) async throws -> T
    ) async throws -> T {
        if let transaction { return try await body(transaction) }
        return try await database.transaction(body)
    }
}
