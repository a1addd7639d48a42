internal import CCrypt
package import EventLoop
internal import Glibc

/// bcrypt through the system's libxcrypt, off the loop.
package struct PasswordHasher: Sendable {
    /// bcrypt reads no further; a longer password would be cut without a word, so it is refused.
    package static let maxPasswordBytes = 72

    private let cost: Int
    private let workers: WorkerPool
    /// What an unknown account is compared with, at the same cost.
    let decoy: String

    package enum Failure: Error, Sendable {
        /// Empty, longer than 72 bytes, or with a NUL.
        case unusablePassword
        case notAvailable
    }

    /// - Parameter cost: 4 to 31; 12 in production. Each step doubles the time.
    package init(cost: Int, workers: WorkerPool) {
        precondition((4...31).contains(cost))
        self.cost = cost
        self.workers = workers
        decoy =
            (cost < 10 ? "$2b$0\(cost)$" : "$2b$\(cost)$") + "vitrinevitrinevitrineu"
            + String(repeating: ".", count: 31)
    }

    package func hash(_ password: String) async throws -> String {
        guard Self.isUsable(password) else { throw Failure.unusablePassword }
        let cost = cost
        return try await workers.run {
            guard let setting = Self.setting(cost: cost), let hash = Self.crypt(password, setting) else {
                throw Failure.notAvailable
            }
            return hash
        }
    }

    /// Constant time; a nil hash costs as much as a wrong password, so that unknown accounts cannot be told apart.
    package func verify(_ password: String, against hash: String?) async throws -> Bool {
        let isUsable = Self.isUsable(password)
        let candidate = isUsable ? password : "-"
        let setting = hash ?? decoy
        let computed = try await workers.run { Self.crypt(candidate, setting) }
        guard let computed, let hash, isUsable else { return false }
        return Crypto.constantTimeEquals(Array(computed.utf8), Array(hash.utf8))
    }

    private static func isUsable(_ password: String) -> Bool {
        !password.isEmpty && password.utf8.count <= maxPasswordBytes && !password.utf8.contains(0)
    }

    private static func setting(cost: Int) -> String? {
        var output = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        let random = Crypto.randomBytes(16).map { CChar(bitPattern: $0) }
        guard crypt_gensalt_rn("$2b$", UInt(cost), random, 16, &output, Int32(output.count)) != nil else { return nil }
        return text(output)
    }

    static func crypt(_ password: String, _ setting: String) -> String? {
        // 32 KiB: too much for a stack, and wiped before it is given back, because it has held the password.
        let size = MemoryLayout<crypt_data>.size
        guard let data = calloc(1, size) else { return nil }
        defer {
            explicit_bzero(data, size)
            free(data)
        }
        guard let result = crypt_rn(password, setting, data, Int32(size)) else { return nil }
        let hash = String(cString: result)
        return hash.hasPrefix("*") ? nil : hash
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
