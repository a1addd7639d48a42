internal import EventLoop
internal import FoundationEssentials
internal import Glibc
internal import HTTP
internal import HTTPCodec
internal import LocalStack
internal import Security
internal import ServiceKit
internal import Synchronization
internal import Values

/// What drills do to a platform: requests, fault switches, events, statements.
final class DrillTools: Sendable {
    let platform: DrillPlatform
    let stubs: DrillStubs
    let sockets = DrillSockets()
    /// What drills share.
    let scene = Mutex(Scene())
    private let http: HTTPClient
    private let workers: WorkerPool
    private let admin: String

    struct Scene: Sendable {
        var product = ""
        var shopper = ""
        var locking: Task<Void, Never>?
    }

    private static let tokenSeconds: Int64 = 7_200
    static let adminID = "00000000-0000-4000-8000-0000000000ad"

    init(platform: DrillPlatform, stubs: DrillStubs, group: EventLoopGroup, workers: WorkerPool) {
        self.platform = platform
        self.stubs = stubs
        self.workers = workers
        http = HTTPClient(group: group, telemetry: nil)
        admin = Self.token(platform, Self.adminID, ["admin"])
    }

    func close() async { await http.shutdown() }

    private static func token(_ platform: DrillPlatform, _ subject: String, _ roles: [String]) -> String {
        let now = Timestamp.now().secondsSince1970
        return TokenSigner(secret: platform.settings["JWT_SECRET"] ?? "").sign(
            AccessTokenClaims(
                subject: subject, username: "drill", roles: roles, companyID: nil, issuedAt: now - 5,
                expiresAt: now + tokenSeconds, tokenID: Identifier.make()))
    }

    // MARK: HTTP

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
        func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
            try JSONDecoder().decode(T.self, from: Data(body))
        }
    }

    /// One request straight to a service, as an administrator unless told otherwise.
    @discardableResult
    func send(
        _ method: HTTPMethod, _ service: String, _ path: String, json: String? = nil, form: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> Answer {
        try await send(
            method, to: platform.url(service), path, json: json, form: form,
            headers: [("authorization", "Bearer " + admin)] + headers)
    }

    func send(
        _ method: HTTPMethod, to url: String, _ path: String, json: String? = nil, form: String? = nil,
        headers: [(String, String)]
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, target: path)
        for (name, value) in headers { request.headers.add(name, value) }
        if let text = json ?? form {
            request.body = .bytes(Array(text.utf8))
            request.headers.add(
                "content-type", json == nil ? "application/x-www-form-urlencoded" : "application/json")
        }
        let response = try await http.send(request, to: url)
        return Answer(status: response.status.code, body: try await response.body.collect(upTo: 8 << 20))
    }

    // MARK: Fault switches

    func turnOn(_ fault: Fault, at service: String, amount: Double = 1, only: String? = nil) async throws {
        let setting = String(
            decoding: try JSONEncoder().encode(FaultSetting(amount: amount, only: only)), as: UTF8.self)
        let answer = try await send(.put, service, "/admin/faults/\(fault.rawValue)", json: setting)
        guard answer.status == 200 else { throw DrillError("\(service) did not take the fault: \(answer.status)") }
    }

    func turnOff(_ fault: Fault, at service: String) async throws {
        let answer = try await send(.delete, service, "/admin/faults/\(fault.rawValue)")
        guard answer.status == 200 else { throw DrillError("\(service) did not end the fault: \(answer.status)") }
    }

    // MARK: Blocking work

    func sql(_ database: String, _ text: String) async throws {
        let platform = platform
        try await workers.run { _ = try platform.sql(database, text) }
    }

    func blocking(_ body: @escaping @Sendable (DrillPlatform) throws -> Void) async throws {
        let platform = platform
        try await workers.run { try body(platform) }
    }

    // MARK: The broker

    private static let brokerAdmin = ("authorization", "Basic " + Base64.guest)

    func management(_ method: HTTPMethod, _ path: String, _ json: String? = nil) async throws -> Answer {
        let answer = try await send(
            method, to: platform.managementURL, "/api" + path, json: json, headers: [Self.brokerAdmin])
        guard answer.status < 300 || answer.status == 404 else {
            throw DrillError("RabbitMQ's management refuses \(path) with \(answer.status)")
        }
        return answer
    }

    /// Publishes to the exchange of events, or to a queue.
    func publish(_ type: String, subject: String, body: String, queue: String? = nil) async throws {
        let properties =
            #"{"message_id":"\#(Identifier.make())","type":"\#(type)","correlation_id":"\#(subject)","delivery_mode":2}"#
        let payload = String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
        _ = try await management(
            .post, "/exchanges/%2F/\(queue == nil ? "orders" : "amq.default")/publish",
            #"{"properties":\#(properties),"routing_key":"\#(queue ?? type)","payload":\#(payload),"payload_encoding":"string"}"#
        )
    }

    // MARK: Shopping

    /// A product with plenty of stock, known to the warehouse.
    func makeProduct() async throws -> String {
        struct Product: Decodable { let product_id: String }
        let answer = try await send(
            .post, "catalog", "/api/products/",
            json: #"{"name":"Drill","category":"Tools","price":10.00,"stock_count":100000}"#)
        guard answer.status == 201 else { throw DrillError("no product can be made: \(answer.status)") }
        return try answer.decode(Product.self).product_id
    }

    /// An order for one piece.
    func placeOrder(_ product: String) async throws {
        try await send(
            .post, "orders", "/order-api/orders/",
            json:
                #"{"items":[{"product_id":"\#(product)","name":"Drill","price":10.00,"quantity":1}],"total":10.00}"#,
            headers: [("idempotency-key", Identifier.make())])
    }
}

/// `guest:guest` in base64.
private enum Base64 {
    static let guest = "Z3Vlc3Q6Z3Vlc3Q="
}

/// A drill cannot go on; one sentence that says why.
package struct DrillError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
