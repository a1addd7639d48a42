internal import HTTP
internal import HTTPCodec
internal import Security
internal import Telemetry

/// Finds out who calls: the gateway's signed identity, or the bearer of an access token. Nothing else that a client
/// sends says anything about who it is.
struct Authenticator: Sendable {
    let tokens: TokenSigner
    let identities: IdentitySigner

    /// Who calls, and how it is known.
    enum Caller: Sendable {
        case nobody
        /// A credential was sent and refused; the reason is a fixed word.
        case refused(String)
        case user(Identity)
        /// Signed inside the platform.
        case signed(Identity)

        var identity: Identity? {
            switch self {
            case .user(let identity), .signed(let identity): identity
            case .nobody, .refused: nil
            }
        }
    }

    /// - Parameter acceptsSigned: whether the peer may vouch for somebody: false at the edge of the platform.
    func caller(_ headers: HTTPFields, acceptsSigned: Bool) -> Caller {
        if acceptsSigned, let caller = headers.withValue(IdentitySigner.header, { signer($0) }) { return caller }
        return headers.withValue("authorization", { bearer($0) }) ?? .nobody
    }

    private func signer(_ text: UnsafeBufferPointer<UInt8>) -> Caller {
        do {
            return .signed(try identities.verify(text, now: Self.now))
        } catch {
            return .refused(Self.reason(error))
        }
    }

    /// Who sends `Bearer TOKEN` (RFC 6750, section 2.1); the scheme in any case.
    private func bearer(_ header: UnsafeBufferPointer<UInt8>) -> Caller {
        let scheme: StaticString = "bearer "
        guard header.count > scheme.utf8CodeUnitCount,
            header.span.isName(beginningWith: scheme)
        else { return .refused("scheme") }
        let token = UnsafeBufferPointer(rebasing: header[scheme.utf8CodeUnitCount...])
        do {
            return .user(try tokens.identity(bearing: token, now: Self.now))
        } catch {
            return .refused(Self.reason(error))
        }
    }

    /// - Throws: `HTTPError` 401 or 403.
    static func check(_ caller: Caller, _ access: Access) throws {
        switch access {
        case .open: return
        // What a permission asks beyond a token, its route asks (`RouteGroup.on`): that may take a call.
        case .user, .permission:
            guard caller.identity != nil else { throw unauthenticated(caller) }
        case .roles(let roles):
            guard let identity = caller.identity else { throw unauthenticated(caller) }
            guard identity.roles.contains(where: roles.contains) else { throw forbidden }
        case .service:
            guard case .signed(let identity) = caller, identity.roles.contains("service") else { throw forbidden }
        }
    }

    private static func unauthenticated(_ caller: Caller) -> HTTPError {
        guard case .refused(let reason) = caller else { return .unauthenticated }
        var error = HTTPError(.unauthorized, "token_\(reason)", "Could not validate credentials")
        // RFC 6750, section 3.1.
        error.headers.append(("www-authenticate", #"Bearer error="invalid_token""#))
        return error
    }

    static let forbidden = HTTPError(
        .forbidden, "forbidden", "Not enough permissions: this needs a role that you do not have")

    private static func reason(_ error: TokenError) -> String {
        switch error {
        case .malformed: "malformed"
        case .unsupportedAlgorithm: "unsupported_algorithm"
        case .badSignature: "bad_signature"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .wrongIssuer: "wrong_issuer"
        case .wrongAudience: "wrong_audience"
        }
    }

    private static var now: Int64 { Int64(TelemetryClock.system.wallNanoseconds() / 1_000_000_000) }
}
