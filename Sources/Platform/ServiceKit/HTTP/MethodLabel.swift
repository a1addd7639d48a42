internal import HTTPCodec

/// A request method as metrics and spans name it: one of the registered methods, or `_OTHER` for anything that a client
/// made up (OpenTelemetry HTTP conventions), so that nobody can invent series. Its raw value is an index into tables.
enum MethodLabel: Int, CaseIterable, Sendable {
    case get, head, post, put, delete, patch, options, trace, connect, other

    init(_ method: HTTPMethod) {
        switch method {
        case .get: self = .get
        case .head: self = .head
        case .post: self = .post
        case .put: self = .put
        case .delete: self = .delete
        case .patch: self = .patch
        case .options: self = .options
        case .trace: self = .trace
        case .connect: self = .connect
        case .other: self = .other
        }
    }

    /// The label value.
    var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .patch: "PATCH"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "_OTHER"
        }
    }

    /// What a span's name begins with.
    var spanName: String { self == .other ? "HTTP" : name }
}
