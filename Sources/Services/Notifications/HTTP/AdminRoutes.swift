internal import HTTP
internal import HTTPCodec
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Values

/// What administrators may look at: the audit trail, what became of messages, and alerts. Pages go by `lsn`.
struct AdminRoutes: Sendable {
    let audit: AuditLog
    let deliveries: DeliveryRepository
    let alerts: AlertEvents

    private static let limits = 1...200
    private static let defaultLimit = 50
    private static let maxTextBytes = 200

    func declareAudit(_ routes: RouteGroup) {
        Self.paged(routes.get("", .admin, listAudit).about("Events that tell of one thing, the oldest first"))
            .query("subject", ["type": "string", "minLength": 1], isRequired: true, "For example an order's id.")
            .answers(200, "a page of events")
    }

    func declareDeliveries(_ routes: RouteGroup) {
        Self.paged(routes.get("", .admin, listDeliveries).about("What became of messages"))
            .query("state", ["type": "string", "enum": .array(Delivery.State.allCases.map { .string($0.rawValue) })])
            .query("order_id", ["type": "string"])
            .answers(Page<DeliveryRepository.Listed>.self, 200, "a page")
    }

    func declareAlerts(_ routes: RouteGroup) {
        Self.paged(routes.get("", .admin, listAlerts).about("Changes of alerts"))
            .query("name", ["type": "string"])
            .answers(Page<AlertEvents.Listed>.self, 200, "a page")
    }

    private static func paged(_ route: RouteNotes) -> RouteNotes {
        route.query("cursor", ["type": "integer", "minimum": 0])
            .query(
                "limit",
                [
                    "type": "integer", "minimum": .integer(limits.lowerBound), "maximum": .integer(limits.upperBound),
                    "default": .integer(defaultLimit),
                ])
    }

    private struct Page<Item: Codable>: Codable {
        let items: [Item]
        let next_cursor: Int64?
        let limit: Int
        let count: Int

        private enum CodingKeys: String, CodingKey { case items, next_cursor, limit, count }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(items, forKey: .items)
            try container.encode(next_cursor, forKey: .next_cursor)
            try container.encode(limit, forKey: .limit)
            try container.encode(count, forKey: .count)
        }
    }

    /// What is kept here is every company's: only the platform's own administrators look at it.
    private static func checkIsOfPlatform(_ request: Request) throws {
        guard try request.caller().companyID == nil else {
            throw HTTPError(.forbidden, "forbidden", "This is for administrators of the platform itself")
        }
    }

    @Sendable func listDeliveries(_ request: Request) async throws -> HTTPResponse {
        try Self.checkIsOfPlatform(request)
        var state: Delivery.State?
        if let text = request.query("state") {
            guard let known = Delivery.State(rawValue: text) else {
                let states = Delivery.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw HTTPError.invalid(["query", "state"], "Input should be one of \(states)", type: "enum")
            }
            state = known
        }
        let (cursor, limit) = try page(request)
        let items = try await deliveries.list(
            state: state, orderID: try text(request, "order_id"), after: cursor, limit: limit)
        return try .json(
            Page(
                items: items, next_cursor: items.count == limit ? items.last?.lsn : nil, limit: limit,
                count: items.count))
    }

    @Sendable func listAlerts(_ request: Request) async throws -> HTTPResponse {
        try Self.checkIsOfPlatform(request)
        let (cursor, limit) = try page(request)
        let items = try await alerts.list(name: try text(request, "name"), after: cursor, limit: limit)
        return try .json(
            Page(
                items: items, next_cursor: items.count == limit ? items.last?.lsn : nil, limit: limit,
                count: items.count))
    }

    @Sendable func listAudit(_ request: Request) async throws -> HTTPResponse {
        try Self.checkIsOfPlatform(request)
        guard let subject = try text(request, "subject"), !subject.isEmpty else {
            throw HTTPError.invalid(["query", "subject"], "Field required: for example an order's id", type: "missing")
        }
        let (cursor, limit) = try page(request)
        let entries = try await audit.list(subject: subject, after: cursor, limit: limit)
        return .json(bytes: Self.body(entries, limit))
    }

    private func page(_ request: Request) throws -> (cursor: Int64, limit: Int) {
        let limit = try request.query("limit", default: Self.defaultLimit, in: Self.limits)
        return (Int64(try request.query("cursor", default: 0, in: 0...Int.max)), limit)
    }

    /// A query parameter that is compared with what is stored.
    private func text(_ request: Request, _ name: String) throws -> String? {
        guard let text = request.query(name) else { return nil }
        guard text.utf8.count <= Self.maxTextBytes, !text.utf8.contains(0) else {
            throw HTTPError.invalid(
                ["query", name], "Input should have at most \(Self.maxTextBytes) bytes", type: "string_too_long")
        }
        return text
    }

    /// The bodies of events are JSON already: they are copied, not decoded.
    private static func body(_ entries: [AuditLog.Entry], _ limit: Int) -> [UInt8] {
        var body = ByteBuffer(capacity: 1024)
        body.append("{\"items\":[" as StaticString)
        for (index, entry) in entries.enumerated() {
            if index > 0 { body.append("," as StaticString) }
            body.append("{\"lsn\":" as StaticString)
            body.appendDecimal(Int(entry.lsn))
            body.append(",\"type\":" as StaticString)
            body.appendJSONString(entry.type)
            body.append(",\"subject\":" as StaticString)
            body.appendJSONString(entry.subject)
            body.append(",\"message_id\":" as StaticString)
            body.appendJSONString(entry.messageID)
            body.append(",\"trace_id\":" as StaticString)
            if let trace = entry.traceID { body.appendJSONString(trace) } else { body.append("null" as StaticString) }
            body.append(",\"created_at\":" as StaticString)
            body.appendJSONString(entry.createdAt.description)
            body.append(",\"body\":" as StaticString)
            body.append(entry.body)
            body.append("}" as StaticString)
        }
        body.append("],\"next_cursor\":" as StaticString)
        if entries.count == limit, let last = entries.last {
            body.appendDecimal(Int(last.lsn))
        } else {
            body.append("null" as StaticString)
        }
        body.append(",\"limit\":" as StaticString)
        body.appendDecimal(limit)
        body.append(",\"count\":" as StaticString)
        body.appendDecimal(entries.count)
        body.append("}" as StaticString)
        return body.array()
    }
}
