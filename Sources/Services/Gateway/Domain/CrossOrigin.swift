internal import HTTP
internal import HTTPCodec

/// Which pages of other origins may call from a browser (Fetch standard, CORS protocol). No credentials are allowed:
/// callers bring a token, never a cookie.
struct CrossOrigin: Sendable {
    private let origins: Set<String>
    private let allowsAll: Bool

    private static let maxAgeSeconds = 600

    /// - Parameter origins: `https://shop.example`, exactly as browsers send them; `*` for all.
    init(origins: Set<String>) {
        self.origins = origins
        allowsAll = origins.contains("*")
    }

    /// The origin that may read the answer; nil when none is sent or it may not.
    func allowed(_ headers: HTTPFields) -> String? {
        guard !origins.isEmpty, let origin = headers["origin"] else { return nil }
        return allowsAll || origins.contains(origin) ? origin : nil
    }

    /// Whether a browser asks what it may send, before it sends it.
    func isPreflight(_ request: HTTPRequest) -> Bool {
        request.method == .options && request.headers.contains("access-control-request-method")
    }

    func preflight(_ origin: String) -> HTTPResponse {
        var response = HTTPResponse(status: .noContent)
        response.headers.add("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
        response.headers.add(
            "access-control-allow-headers", "authorization, content-type, idempotency-key, x-request-id, traceparent")
        response.headers.add("access-control-max-age", Self.maxAgeSeconds)
        for field in fields(origin) { response.headers.add(field.name, field.value) }
        return response
    }

    /// What an answer to this origin carries.
    func fields(_ origin: String) -> [(name: String, value: String)] {
        [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", "x-request-id, x-trace-id, retry-after, location"),
            ("vary", "Origin"),
        ]
    }
}
