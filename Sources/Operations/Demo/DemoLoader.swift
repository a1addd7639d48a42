internal import CatalogContracts

/// Loads the demo catalog through the front door, once.
package struct DemoLoader: Sendable {
    private let gateway: String
    private let adminName: String
    private let adminPassword: String

    private static let parallel = 16

    package init(gateway: String, adminName: String, adminPassword: String) {
        self.gateway = gateway
        self.adminName = adminName
        self.adminPassword = adminPassword
    }

    /// Does nothing when there are products already.
    /// - Throws: `DemoError`, `HTTPClientError`.
    package func loadCatalog() async throws {
        let client = DemoClient(gateway: gateway)
        do { try await load(client) } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    private func load(_ client: DemoClient) async throws {
        let token = try await DemoSession.token(client, adminName, adminPassword)
        let page: ProductPage = try await client.get("/api/products/?limit=1", token: token).decode()
        guard page.total == 0 else { return }
        var rest = DemoCatalog.products[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.parallel)
            rest = rest.dropFirst(Self.parallel)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for product in batch {
                    tasks.addTask {
                        let answer = try await client.post("/api/products/", token: token, json: product)
                        guard answer.status == 201 else {
                            throw DemoError("the catalog refused a demo product with status \(answer.status)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }
}

/// Signing in.
enum DemoSession {
    static func token(_ client: DemoClient, _ name: String, _ password: String) async throws -> String {
        struct Token: Decodable { let access_token: String }
        let answer = try await client.post("/user-api/token", form: [("username", name), ("password", password)])
        guard answer.status == 200 else {
            throw DemoError("signing in failed with status \(answer.status): is this the platform's own folder?")
        }
        return try answer.decode(Token.self).access_token
    }
}
