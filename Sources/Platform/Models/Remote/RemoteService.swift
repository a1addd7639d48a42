internal import HTTP
internal import HTTPCodec
internal import ServiceKit

/// Another service as its models see it. Breaker, bulkhead, retries within their budget, deadlines, identity and trace are
/// `ServiceClient`'s.
struct RemoteService: Sendable {
    let name: String
    let client: ServiceClient

    /// Calls that wait for an answer at the moment, of all who call it.
    var callsNow: Int { client.callsNow(to: name) }

    static let maxCalls = ServiceClient.maxCallsAtOnce
    private static let maxBodyBytes = 16 * 1024 * 1024

    /// One call and its whole answer.
    /// - Throws: `ServiceCallError`; with status 503 and no call at all while the service is left alone, or holds
    ///   as many calls as it may.
    func exchange(
        _ method: HTTPMethod, _ path: String, template: String, as caller: Caller, body: [UInt8]? = nil,
        headers: [(name: String, value: String)] = [], isRepeatable: Bool = true
    ) async throws -> [UInt8] {
        let response = try await client.exchange(
            method, name, path, template: template, as: .user(caller.identity), body: body, headers: headers,
            isRepeatable: isRepeatable)
        do {
            return try await response.body.collect(upTo: Self.maxBodyBytes)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw ServiceCallError(service: name, status: nil, message: "its answer broke off")
        }
    }
}
