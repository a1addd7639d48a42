/// Work that leads to an answer and may wait on the way.
package typealias HTTPWork = @Sendable () async throws -> HTTPResponse

/// What becomes of a request, decided as soon as it is there: most answers need nothing that has to be waited for, and
/// then no task takes part in them, which would cost more than many a handler does.
package enum HTTPDisposition: Sendable {
    case answered(HTTPResponse)
    /// A task does the work.
    case waiting(HTTPWork)
    /// Whoever made the promise gives the answer, on the loop of the connection.
    case promised(HTTPPromise)
}

/// Decides about a request. Runs on the connection's event loop, outside of any task; must not block.
package typealias HTTPDispatcher = @Sendable (HTTPRequest) -> HTTPDisposition
