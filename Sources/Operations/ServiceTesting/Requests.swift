internal import AMQP
internal import FoundationEssentials
internal import HTTP
package import HTTPCodec
package import Security
package import ServiceKit
internal import TelemetryTesting
internal import Values

extension Deployment {
    /// One request, its whole answer.
    /// - Parameter headers: with repetitions, in this order.
    package func send(
        _ service: String, _ method: HTTPMethod, _ target: String, headers: [(String, String)] = [],
        json: String? = nil, form: String? = nil
    ) async throws -> Reply {
        var request = HTTPRequest(method: method, target: target)
        for (name, value) in headers { request.headers.add(name, value) }
        if let text = json ?? form {
            request.body = .bytes(Array(text.utf8))
            if !headers.contains(where: { $0.0 == "content-type" }) {
                request.headers.add(
                    "content-type", form == nil ? "application/json" : "application/x-www-form-urlencoded")
            }
        }
        let response = try await client.send(request, to: try url(service), timeoutMilliseconds: 20_000)
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Reply(status: response.status.code, headers: response.headers, bytes: bytes)
    }

    /// One request of a person.
    /// - Parameter service: which one; the first when nil.
    package func send(
        _ method: HTTPMethod, _ target: String, as person: Person? = .manager, headers: [String: String] = [:],
        json: String? = nil, service: String? = nil
    ) async throws -> Reply {
        var all = headers.map { ($0.key, $0.value) }
        if let person { all.append(("authorization", person.bearer)) }
        guard let name = service ?? host.endpoints.first?.name else { throw NotDeployed(service: "any") }
        return try await send(name, method, target, headers: all, json: json)
    }

    package func get(
        _ target: String, as person: Person? = .manager, headers: [String: String] = [:]
    ) async throws -> Reply {
        try await send(.get, target, as: person, headers: headers)
    }

    /// The header of a valid access token.
    package static func bearer(
        _ roles: [String] = ["user"], subject: String = "00000000-0000-4000-8000-000000000001"
    ) -> (String, String) {
        ("authorization", Person(roles: roles, company: nil, subject: subject).bearer)
    }

    /// The header that one service shows another.
    package static func signed(_ identity: Identity) -> (String, String) {
        (IdentitySigner.header, identities.sign(identity, now: now))
    }

    /// Publishes an event as its service would, and says it so often.
    package func publish(
        _ event: some Event, messageID: String = Identifier.make(), times: Int = 1
    ) async throws {
        let client = AMQPClient(
            configuration: .init(url: settings["RABBITMQ_URL"] ?? ""), group: Self.group,
            telemetry: TelemetryCapture(serviceName: "publisher").telemetry)
        try await client.start()
        var message = AMQPMessage(messageID: messageID, body: Array(try JSONEncoder().encode(event)))
        message.type = type(of: event).type
        message.correlationID = event.subject
        for _ in 0..<times {
            try await client.publish(message, exchange: "orders", routingKey: type(of: event).type)
        }
        await client.stop(timeoutSeconds: 2)
    }
}
