internal import EventLoop
internal import HTTP
internal import HTTPCodec
internal import PostgreSQL
internal import Redis
internal import Tasks
internal import Telemetry

extension HTTPError {
    /// What a client is told of any error: the only place where errors become statuses. What is ours to mend says no
    /// more than that; the log has the rest.
    package static func telling(of error: any Error) -> HTTPError {
        switch error {
        case let error as HTTPError: error
        case let error as HTTPBodyTooLarge:
            HTTPError(.contentTooLarge, "body_too_large", "the body is larger than \(error.limit) bytes")
        case let error as PostgreSQLError: telling(of: error)
        case is RedisError: unavailable("a store that this needs does not answer: try again in a moment")
        case let error as ServiceCallError: telling(of: error)
        case let error as TaskError: telling(of: error)
        case let error as TaskRefusal: HTTPError(error)
        case HTTPClientError.timedOut:
            HTTPError(.gatewayTimeout, "upstream_timeout", "another service did not answer in time")
        case is HTTPClientError: unavailable("another service does not answer: try again in a moment")
        case is WorkerPool.Saturated: unavailable("too much to do right now: try again in a moment")
        case let error as HTTPParseError: HTTPError(error.status, error.code, error.message)
        case HTTPBodyCut.timedOut:
            HTTPError(.requestTimeout, "request_timeout", "the body did not arrive in time")
        case HTTPBodyCut.disconnected:
            HTTPError(HTTPStatus(HTTPTelemetry.clientClosedRequest), "disconnected", "the body ended early")
        default:
            HTTPError(
                .internalServerError, "internal",
                "something went wrong on our side: the request id tells us where to look")
        }
    }

    private static func telling(of error: PostgreSQLError) -> HTTPError {
        switch error {
        case .connection, .poolTimeout, .shutDown:
            return unavailable("the database does not answer: try again in a moment")
        case .server(let code, _, _):
            // Deadlocks and serialization failures that retries did not mend, locks and statements that took too long.
            if ["40001", "40P01", "55P03", "57014"].contains(code) {
                return unavailable("the database is too busy: try again in a moment")
            }
            return HTTPError(.internalServerError, "internal", "the database refused a statement of ours")
        case .invalidParameter(let what): return HTTPError(.badRequest, "invalid_text", what)
        case .deadlineExceeded:
            return HTTPError(.gatewayTimeout, "deadline_exceeded", "the request took longer than it may: try again")
        case .decoding:
            return HTTPError(.internalServerError, "internal", "the database holds something unexpected")
        }
    }

    private static func telling(of error: ServiceCallError) -> HTTPError {
        guard let status = error.status, status.code < 500 else {
            return unavailable("the service '\(error.service)' does not answer: try again in a moment")
        }
        return HTTPError(.badGateway, "upstream_refused", "the service '\(error.service)' refused: \(error.message)")
    }

    private static func unavailable(_ message: String) -> HTTPError {
        var error = HTTPError(.serviceUnavailable, "unavailable", message)
        error.headers.append(("retry-after", "1"))
        return error
    }
}

extension HTTPError {
    /// The `error.type` of an error behind a 5xx.
    static func type(of error: any Error) -> String {
        switch error {
        case let error as HTTPError: error.code
        case let error as PostgreSQLError: "postgresql_" + error.type
        case let error as HTTPClientError: error.errorType
        default: ErrorType.name(of: error)
        }
    }
}
