internal import CatalogContracts
internal import Shopping

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
    /// - Throws: `ShopError`, `HTTPClientError`.
    package func loadCatalog() async throws {
        let client = ShopClient(gateway: gateway)
        do { try await load(client) } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    private func load(_ client: ShopClient) async throws {
        let token = try await client.signIn(adminName, adminPassword)
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
                            throw ShopError("the catalog refused a demo product with status \(answer.status)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }
}
