/// Registering and signing in.
extension ShopClient {
    private struct Registration: Encodable {
        let email: String
        let password: String
        let name: String
    }

    private struct Token: Decodable { let access_token: String }

    /// - Returns: the status: 201, or 409 when there is such a shopper already.
    package func register(_ email: String, password: String, name: String) async throws -> Answer {
        try await post("/api/users/register", json: Registration(email: email, password: password, name: name))
    }

    /// - Returns: an access token.
    /// - Throws: `ShopError` when name or password is wrong.
    package func signIn(_ name: String, _ password: String) async throws -> String {
        let answer = try await post("/user-api/token", form: [("username", name), ("password", password)])
        guard answer.status == 200 else {
            throw ShopError("signing in failed with status \(answer.status): is this the platform's own folder?")
        }
        return try answer.decode(Token.self).access_token
    }
}
