internal import CLibUV

/// Why a socket could not do what was asked, as libuv says it.
package struct TCPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The symbol of the error, for programs: `ECONNREFUSED`.
    package let code: String
    /// What was tried and why it failed.
    package let description: String

    init(_ status: Int32, _ what: String) {
        code = uv_err_name(status).map { String(cString: $0) } ?? "UNKNOWN"
        description = "\(what): \(uvMessage(status))"
    }

    /// What something above the socket has found.
    package init(code: String, description: String) {
        self.code = code
        self.description = description
    }

    /// A connect that took longer than it may.
    static func connectTimedOut(_ address: SocketAddress) -> TCPError {
        TCPError(code: "ETIMEDOUT", description: "connect to \(address): timed out")
    }

    package static let closed = TCPError(code: "ECONNABORTED", description: "the connection was closed")
}
