internal import HTTPCodec

/// Refusals that are about what the client sent, not about how we asked.
extension ServiceCallError {
    /// The same refusal as our own answer, when the other service judged what the client wants (400, 404, 409, 422): for
    /// routes that hand a request on. Nil for everything that is ours to mend.
    package var asClientError: HTTPError? {
        guard let status, [400, 404, 409, 422].contains(status.code) else { return nil }
        return HTTPError(status, "refused", message)
    }
}
