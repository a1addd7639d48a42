import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL

/// Paths of the package under test.
enum Package {
    static let root = String(#filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined())
    static let executable = root + "/.build/debug/vitrine"
    static let python = root + "/.vitrine/venv/bin/python3"
}

/// A folder that is gone after the test.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/vitrine-integration-\(UInt32.random(in: .min ... .max))"
    _ = try Command.run(["mkdir", "-p", path])
    do { try await body(path) } catch {
        _ = try? Command.run(["rm", "-rf", path])
        throw error
    }
    _ = try? Command.run(["rm", "-rf", path])
}

/// JSON over HTTP, as a client outside the platform speaks it.
struct Caller: Sendable {
    let url: String
    let http: HTTPClient

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
        let traceID: String

        func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
            try JSONDecoder().decode(T.self, from: Data(body))
        }
    }

    func send(
        _ method: HTTPMethod, _ path: String, token: String? = nil, json: String? = nil, form: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, target: path)
        if let json {
            request.headers.add("content-type", "application/json")
            request.body = .bytes(Array(json.utf8))
        }
        if let form {
            request.headers.add("content-type", "application/x-www-form-urlencoded")
            request.body = .bytes(Array(form.utf8))
        }
        if let token { request.headers.add("authorization", "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name, value) }
        let response = try await http.send(request, to: url)
        return Answer(
            status: response.status.code, body: try await response.body.collect(upTo: 8 * 1024 * 1024),
            traceID: response.headers["x-trace-id"] ?? "")
    }

    func token(_ name: String, _ password: String) async throws -> String {
        struct Token: Decodable { let access_token: String }
        let answer = try await send(
            .post, "/user-api/token", form: "username=\(name.replacingAt)&password=\(password)")
        return try answer.decode(Token.self).access_token
    }
}

extension String {
    fileprivate var replacingAt: String { split(separator: "@").joined(separator: "%40") }
}

/// Asks again until the answer is right, or the time is over.
func eventually<T>(
    seconds: Int = 60, _ what: String, _ body: () async throws -> T?
) async throws -> T {
    for _ in 0..<(seconds * 10) {
        if let value = try? await body() { return value }
        try await Task.sleep(nanoseconds: 100_000_000)
    }
    throw LocalStackError("\(what) did not come about within \(seconds) s")
}
