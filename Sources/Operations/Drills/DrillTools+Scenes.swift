internal import FoundationEssentials
internal import Glibc
internal import HTTPCodec
internal import LocalStack
internal import Synchronization
internal import Values

/// What single drills do.
extension DrillTools {
    static func newID() -> String { Identifier.make() }

    /// The first administrator, in SQL.
    static let adminRow = "(SELECT id FROM users WHERE role = 'admin' LIMIT 1)"

    static func statusChanged(order: String, user: String) -> String {
        #"{"order_id":"\#(order)","user_id":"\#(user)","status":"SHIPPING","total":1.00}"#
    }

    /// The same as an SQL expression, each for another order.
    static func statusChangedSQL(user: String) -> String {
        "json_build_object('order_id', gen_random_uuid(), 'user_id', \(user), 'status', 'SHIPPING', 'total', 1)::text"
    }

    /// A product and a shopper that drills share.
    func prepare() async throws {
        let made = try await makeProduct()
        scene.withLock { $0.product = made }
        let email = "drill-\(Identifier.make().prefix(8))@example.com"
        let answer = try await send(
            .post, "users", "/api/users/register",
            json: #"{"email":"\#(email)","password":"\#(Self.password)","name":"Drill"}"#)
        guard answer.status == 201 else { throw DrillError("no shopper can be registered: \(answer.status)") }
        scene.withLock { $0.shopper = email }
        // The warehouse learns of the product by an event.
        for _ in 0..<300 {
            let levels = try await send(.get, "warehouse", "/api/v1/stock-levels?limit=200")
            if String(decoding: levels.body, as: UTF8.self).contains(made) { return }
            try await Task.sleep(nanoseconds: 200_000_000)
        }
        throw DrillError("the warehouse does not hear of a new product")
    }

    private static let password = "Drill1234"
    var product: String { scene.withLock { $0.product } }

    func register() async throws {
        try await send(
            .post, "users", "/api/users/register",
            json: #"{"email":"d-\#(Identifier.make())@example.com","password":"\#(Self.password)","name":"Drill"}"#)
    }

    func logIn() async throws {
        let name = scene.withLock { $0.shopper }.split(separator: "@").joined(separator: "%40")
        try await send(.post, "users", "/user-api/token", form: "username=\(name)&password=\(Self.password)")
    }

    func reuseRefreshToken() async throws {
        struct Tokens: Decodable { let refresh_token: String }
        // A shopper of its own: others log in at the same time, and may be refused on purpose.
        for _ in 0..<20 {
            let email = "r-\(Identifier.make())@example.com"
            try await send(
                .post, "users", "/api/users/register",
                json: #"{"email":"\#(email)","password":"\#(Self.password)","name":"Drill"}"#)
            let answer = try await send(
                .post, "users", "/api/users/login", json: #"{"email":"\#(email)","password":"\#(Self.password)"}"#)
            guard answer.status == 200 else {
                try await Task.sleep(nanoseconds: 1_000_000_000)
                continue
            }
            let token = try answer.decode(Tokens.self).refresh_token
            for _ in 0..<2 {
                try await send(.post, "users", "/api/users/refresh", json: #"{"refresh_token":"\#(token)"}"#)
            }
            return
        }
        throw DrillError("nobody can log in")
    }

    func fillCart() async throws {
        try await send(
            .post, "cart", "/cart-api/cart/items", json: #"{"product_id":"\#(product)","quantity":1}"#)
    }

    /// Closes the broker's connections of the user whose rights change.
    func cutBroker() async throws {
        struct Connection: Decodable {
            let name: String
            let user: String?
        }
        let connections = try await management(.get, "/connections").decode([Connection].self)
        for connection in connections where connection.user == DrillPlatform.brokerUser {
            _ = try await management(.delete, "/connections/" + Self.encoded(connection.name))
        }
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            if (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) {
                return String(UnicodeScalar(byte))
            }
            let hex = String(byte, radix: 16, uppercase: true)
            return "%" + (hex.count == 1 ? "0" : "") + hex
        }.joined()
    }

    /// Takes a table's lock for most of the time, until `unlock`.
    func lockRepeatedly(_ database: String, table: String) {
        let locking = Task {
            while !Task.isCancelled {
                try? await sql(
                    database, "BEGIN; LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.4); COMMIT")
                try? await Task.sleep(nanoseconds: 50_000_000)
            }
        }
        scene.withLock { $0.locking = locking }
    }

    func unlock() async {
        let locking = scene.withLock { $0.locking }
        locking?.cancel()
        await locking?.value
    }
}

extension DrillPlatform {
    private var mailbox: String { folder.path + "/mailbox" }

    /// A task that was queued long ago, behind the back of the group of workers.
    func loseTask(in stream: String) throws {
        let now = Timestamp.now().microseconds / 1_000
        _ = try redisCommand(["XGROUP", "SETID", stream, "workers", "\(now)-0"])
        _ = try redisCommand([
            "XADD", stream, "\(now - 1_200_000)-0", "id", Identifier.make(), "task", "lost", "attempt", "1", "input",
            "{}",
        ])
    }

    /// Puts a file in the place of the mailbox's folder: even root cannot write into it.
    func blockMailbox() throws {
        guard rename(mailbox, mailbox + ".away") == 0 else { throw DrillError("the mailbox cannot be moved") }
        _ = try folder.file("mailbox", "")
    }

    func unblockMailbox() throws {
        unlink(mailbox)
        guard rename(mailbox + ".away", mailbox) == 0 else { throw DrillError("the mailbox cannot be put back") }
    }
}
