package import EventLoop
internal import FoundationEssentials
internal import HTTP
internal import HTTPCodec

/// A client as a shopper's browser would be: JSON over HTTP through the gateway.
package final class ShopClient: Sendable {
    package struct Answer: Sendable {
        package let status: Int
        package let body: [UInt8]
        package let traceID: String

        /// - Throws: `ShopError` when the answer is not of this type.
        package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
            do { return try JSONDecoder().decode(T.self, from: Data(body)) } catch {
                throw ShopError(
                    "an answer has an unexpected shape: \(String(decoding: body.prefix(300), as: UTF8.self))")
            }
        }
    }

    private let gateway: String
    private let ownGroup: EventLoopGroup?
    private let http: HTTPClient

    /// - Parameters: gateway: `http://host:port`. - group: loops to work on; its own one when nil.
    package init(gateway: String, group: EventLoopGroup? = nil) {
        self.gateway = gateway
        let loops = group ?? EventLoopGroup(count: 1)
        ownGroup = group == nil ? loops : nil
        var configuration = HTTPClient.Configuration()
        configuration.maxConnectionsPerHostAndLoop = Self.maxConnections
        http = HTTPClient(
            configuration: configuration, group: loops, telemetry: nil)
    }

    private static let maxConnections = 256

    package func close() async {
        await http.shutdown()
        ownGroup?.shutdown()
    }

    package func get(_ path: String, token: String? = nil) async throws -> Answer {
        try await send(.get, path, token, .empty, nil)
    }

    package func post(_ path: String, token: String? = nil, json: some Encodable) async throws -> Answer {
        try await send(.post, path, token, .bytes(Array(try JSONEncoder().encode(json))), "application/json")
    }

    package func post(_ path: String, token: String) async throws -> Answer {
        try await send(.post, path, token, .bytes(Array("{}".utf8)), "application/json")
    }

    package func post(_ path: String, form: [(String, String)]) async throws -> Answer {
        let text = form.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
        return try await send(.post, path, nil, .bytes(Array(text.utf8)), "application/x-www-form-urlencoded")
    }

    package static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            if isPlain { return String(UnicodeScalar(byte)) }
            let hex = String(byte, radix: 16, uppercase: true)
            return "%" + (hex.count == 1 ? "0" : "") + hex
        }.joined()
    }

    private func send(
        _ method: HTTPMethod, _ path: String, _ token: String?, _ body: HTTPBody, _ contentType: String?
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, target: path, body: body)
        if let token { request.headers.add("authorization", "Bearer \(token)") }
        if let contentType { request.headers.add("content-type", contentType) }
        let response = try await http.send(request, to: gateway)
        return Answer(
            status: response.status.code, body: try await response.body.collect(upTo: 4 * 1024 * 1024),
            traceID: response.headers["x-trace-id"] ?? "")
    }
}

/// Shopping cannot go on; one sentence that says why.
package struct ShopError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
