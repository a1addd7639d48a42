internal import Caching
internal import CatalogContracts
internal import HTTP
internal import HTTPCodec
internal import PostgreSQL
internal import Security
internal import ServiceKit
internal import Values

/// The HTTP side of the catalog.
struct ProductRoutes: Sendable {
    let database: PostgreSQLClient
    let products: ProductRepository
    let cache: ProductCache
    let outbox: Outbox
    let telemetry: CatalogTelemetry

    private static let staff = ["admin", "manager", "shop_manager"]
    private static let maxIDs = 100

    func declare(_ routes: RouteGroup) {
        Self.paged(routes.get("/", .user, list).about("Products; who is no staff names a category"))
            .query("category", ["type": "string"]).refuses(403)
        routes.post("/", .admin, create).about("Adds a product")
            .takes(ProductBody.self).answers(ProductView.self, 201, "the product")
        routes.get("/categories/list", .user, categories).about("Categories with the number of their products")
            .answers([Category].self)
        Self.paged(routes.get("/by-category/{category}", .user, byCategory).about("Products of a category"))
        routes.get("/{product_id}", .user, show).about("One product").answers(ProductView.self)
        routes.put("/{product_id}", .admin, update).about("Replaces a product")
            .takes(ProductBody.self).answers(ProductView.self)
        routes.delete("/{product_id}", .admin, delete).about("Removes a product").answers(204, "removed")
    }

    /// What lists have in common.
    @discardableResult
    private static func paged(_ route: RouteNotes) -> RouteNotes {
        route.answers(ProductPage.self, 200, "a page")
            .query("skip", ["type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 0])
            .query("limit", ["type": "integer", "minimum": 1, "maximum": 100, "default": 20])
            .query("sort_by", ["type": "string", "enum": ["name", "price"], "default": "name"])
            .query("sort_order", ["type": "string", "enum": ["asc", "desc"], "default": "asc"])
            .query("min_price", Self.amount).query("max_price", Self.amount)
    }

    private static let amount: JSONTree = ["type": "number", "minimum": 0, "multipleOf": .number("0.01")]

    private struct Category: Codable {
        let name: String
        let product_count: Int
    }

    func declareInternal(_ routes: RouteGroup) { routes.get("/products", .user, byIDs) }

    private struct ProductBody: Decodable, Sendable, StrictKeys {
        static let allowedKeys = ["name", "category", "price", "stock_count", "description", "manufacturer"]
        let name: String
        let category: String
        let price: Money
        let stock_count: Int
        let description: String?
        let manufacturer: String?

        func product(_ id: String) throws -> ProductView {
            var problems: [HTTPError.FieldError] = []
            for (field, text, limit) in [("name", name, 300), ("category", category, 100)]
            where text.isEmpty || text.utf8.count > limit || text.utf8.contains(where: { $0 < 0x20 }) {
                problems.append(
                    .init(["body", field], "1 to \(limit) bytes of plain text", type: "string_pattern"))
            }
            for (field, text) in [("description", description ?? ""), ("manufacturer", manufacturer ?? "")]
            where text.utf8.count > 5_000 || text.utf8.contains(0) {
                problems.append(.init(["body", field], "at most 5000 bytes of text", type: "string_too_long"))
            }
            if price <= .zero { problems.append(.init(["body", "price"], "must be above 0", type: "greater_than")) }
            if !(0...1_000_000_000).contains(stock_count) {
                problems.append(.init(["body", "stock_count"], "must be 0 or more", type: "greater_than_equal"))
            }
            guard problems.isEmpty else {
                throw HTTPError(.unprocessableContent, "product.invalid", "the product is not valid", fields: problems)
            }
            return ProductView(
                productID: id, name: name, category: category, price: price, stockCount: stock_count,
                description: description, manufacturer: manufacturer)
        }
    }

    // MARK: Reading

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse {
        let caller = try request.caller()
        let category = request.query("category").flatMap { $0.isEmpty ? nil : $0 }
        guard category != nil || caller.roles.contains(where: Self.staff.contains) else {
            throw HTTPError(.forbidden, "category.required", "name a category to see its products")
        }
        return try .json(try await page(request, category: category, caller))
    }

    @Sendable private func byCategory(_ request: Request) async throws -> HTTPResponse {
        try .json(try await page(request, category: request.parameter("category"), try request.caller()))
    }

    private func page(_ request: Request, category: String?, _ caller: Identity) async throws -> ProductPage {
        var query = ProductQuery(category: category, companyID: caller.companyID)
        query.skip = try request.query("skip", default: 0, in: 0...1_000_000)
        query.limit = try request.query("limit", default: 20, in: 1...100)
        query.order = try choice(request, "sort_by", ["name": .name, "price": .price], default: .name)
        query.isDescending = try choice(request, "sort_order", ["asc": false, "desc": true], default: false)
        query.minPrice = try amount(request, "min_price")
        query.maxPrice = try amount(request, "max_price")
        return try await cache.page(query) {
            let (items, total) = try await products.list(query)
            return ProductPage(
                items: items.map(Self.summary), total: total, page: query.skip / query.limit + 1,
                pages: (total + query.limit - 1) / query.limit, hasNext: query.skip + query.limit < total,
                hasPrevious: query.skip > 0)
        }
    }

    /// A list shows what a shelf shows.
    private static func summary(_ product: ProductView) -> ProductView {
        ProductView(
            productID: product.productID, name: product.name, category: product.category, price: product.price)
    }

    private func choice<T>(
        _ request: Request, _ name: String, _ choices: [String: T], default value: T
    ) throws -> T {
        guard let text = request.query(name) else { return value }
        guard let chosen = choices[text] else {
            let known = choices.keys.sorted().joined(separator: " or ")
            throw HTTPError(
                .unprocessableContent, "query.invalid", "\(name) must be \(known)",
                fields: [.init(["query", name], "must be \(known)", type: "enum")])
        }
        return chosen
    }

    private func amount(_ request: Request, _ name: String) throws -> Money? {
        guard let text = request.query(name) else { return nil }
        guard let amount = Money(text), amount >= .zero else {
            throw HTTPError(
                .unprocessableContent, "query.invalid", "\(name) must be an amount such as 12.50",
                fields: [.init(["query", name], "must be an amount", type: "decimal_parsing")])
        }
        return amount
    }

    @Sendable private func categories(_ request: Request) async throws -> HTTPResponse {
        let found = try await products.categories(companyID: try request.caller().companyID)
        return try .json(found.map { Category(name: $0.name, product_count: $0.count) })
    }

    @Sendable private func show(_ request: Request) async throws -> HTTPResponse {
        let id = try request.uuid("product_id")
        let companyID = try request.caller().companyID
        return try .json(
            try await cache.products.value(ProductCache.key(id, companyID: companyID)) {
                guard let product = try await products.find(id, companyID: companyID) else { throw Self.unknown }
                return product
            })
    }

    /// For other services: several products at once.
    @Sendable private func byIDs(_ request: Request) async throws -> HTTPResponse {
        let ids = (request.query("ids") ?? "").split(separator: ",").compactMap(Identifier.normalized)
        guard (1...Self.maxIDs).contains(ids.count) else {
            throw HTTPError(
                .unprocessableContent, "ids.invalid", "ids must be 1 to \(Self.maxIDs) UUIDs, separated by commas",
                fields: [.init(["query", "ids"], "must be UUIDs", type: "uuid_parsing")])
        }
        return try .json(
            ProductPrices(items: try await products.find(ids, companyID: try request.caller().companyID)))
    }

    // MARK: Writing

    @Sendable private func create(_ request: Request) async throws -> HTTPResponse {
        let body: ProductBody = try await request.json()
        let companyID = try request.caller().companyID
        let product = try body.product(Identifier.make())
        try await database.transaction { [products, outbox] transaction in
            try await products.insert(product, companyID: companyID, in: transaction)
            try await outbox.append(
                ProductCreated(product: product, companyID: companyID, revision: 1), in: transaction)
        }
        await changed("created", product.productID, companyID)
        return try .json(product, status: .created)
    }

    @Sendable private func update(_ request: Request) async throws -> HTTPResponse {
        let id = try request.uuid("product_id")
        let body: ProductBody = try await request.json()
        let companyID = try request.caller().companyID
        let product = try body.product(id)
        _ = try await cache.products.write(ProductCache.key(id, companyID: companyID)) {
            try await database.transaction { [products, outbox] transaction in
                guard let revision = try await products.update(product, companyID: companyID, in: transaction) else {
                    throw Self.unknown
                }
                try await outbox.append(
                    ProductUpdated(product: product, companyID: companyID, revision: revision), in: transaction)
            }
            return product
        }
        await changed("updated", id, companyID)
        return try .json(product)
    }

    @Sendable private func delete(_ request: Request) async throws -> HTTPResponse {
        let id = try request.uuid("product_id")
        let companyID = try request.caller().companyID
        let isKnown = try await database.transaction { [products, outbox] transaction in
            guard let revision = try await products.delete(id, companyID: companyID, in: transaction) else {
                return false
            }
            try await outbox.append(
                ProductDeleted(productID: id, companyID: companyID, revision: revision), in: transaction)
            return true
        }
        guard isKnown else { throw Self.unknown }
        await cache.products.invalidate(ProductCache.key(id, companyID: companyID))
        await changed("deleted", id, companyID)
        return .empty()
    }

    private func changed(_ change: String, _ id: String, _ companyID: String?) async {
        await cache.changed(companyID: companyID)
        telemetry.noteChange(change, productID: id)
    }

    private static let unknown = HTTPError(.notFound, "product.unknown", "there is no such product")
}
