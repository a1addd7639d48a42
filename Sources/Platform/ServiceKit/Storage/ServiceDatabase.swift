package import EventLoop
internal import PostgreSQL
internal import Telemetry

/// Makes sure that a service's database is there before its pool connects to it.
package enum ServiceDatabase {
    /// The URL of a service's database on a server: the name takes the place of the URL's path.
    package static func url(server: String, database: String) -> String {
        let scheme = server.range(ofText: "://").map { server.index($0, offsetBy: 3) } ?? server.startIndex
        let path = server[scheme...].firstIndex { $0 == "/" || $0 == "?" } ?? server.endIndex
        let query = server[path...].firstIndex(of: "?").map { String(server[$0...]) } ?? ""
        return String(server[..<path]) + "/" + database + query
    }

    /// Creates the database when it is missing. Several processes may do so at once.
    /// - Throws: `PostgreSQLError`.
    package static func ensureExists(url: String, group: EventLoopGroup) async throws {
        let name = Self.name(of: url)
        guard !name.isEmpty, name != "postgres", name.utf8.allSatisfy(Self.isNameByte) else { return }
        var configuration = PostgreSQLClient.Configuration(url: Self.url(server: url, database: "postgres"))
        configuration.poolSizePerLoop = 1
        let client = PostgreSQLClient(configuration: configuration, group: group, telemetry: .disabled())
        do {
            let known = try await client.query(
                "SELECT pg_database", "SELECT 1 FROM pg_database WHERE datname = \(name)")
            if known.count == 0 { try await create(name, client) }
        } catch {
            await client.stop()
            throw error
        }
        await client.stop()
    }

    private static func create(_ name: String, _ client: PostgreSQLClient) async throws {
        do {
            try await client.script("CREATE DATABASE", "CREATE DATABASE \"\(name)\"")
        } catch PostgreSQLError.server(let code, _, _) where code == "42P04" || code == "23505" {
            // Another process was faster.
        }
    }

    private static func name(of url: String) -> String {
        let scheme = url.range(ofText: "://").map { url.index($0, offsetBy: 3) } ?? url.startIndex
        guard let slash = url[scheme...].firstIndex(of: "/") else { return "" }
        return String(url[url.index(after: slash)...].prefix { $0 != "?" })
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte == 0x5F || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

extension String {
    /// Where a text first stands in this one.
    fileprivate func range(ofText text: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
