internal import Glibc

/// The folder `.vitrine/`: data of the private servers, logs, secrets, and the note of what runs where.
package final class LocalFolder: Sendable {
    package let path: String
    private let lock: Int32

    /// Opens or creates the folder, for this process alone.
    /// - Throws: `LocalStackError` when another process holds it.
    package init(path: String) throws {
        var absolute = path
        if !path.hasPrefix("/") {
            guard let current = getcwd(nil, 0) else { throw LocalStackError("the working folder is gone") }
            defer { free(current) }
            absolute = String(cString: current) + "/" + path
        }
        self.path = absolute
        for folder in ["", "/logs", "/prometheus", "/alertmanager", "/mailbox"] {
            try Files.makeFolder(absolute + folder)
        }
        lock = open(absolute + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? Files.read(absolute + "/lock")) ?? ""
            throw LocalStackError(
                "\(path) is in use by process \(holder.isEmpty ? "unknown" : holder): stop that one, or choose another "
                    + "folder with --folder")
        }
        ftruncate(lock, 0)
        let text = Array("\(getpid())".utf8)
        _ = text.withUnsafeBytes { write(lock, $0.baseAddress, $0.count) }
    }

    deinit { close(lock) }

    /// A setting that is made once and kept: random, for secrets.
    /// - Parameter bytes: of randomness; twice as many characters.
    package func secret(_ name: String, bytes: Int = 32) throws -> String {
        var known = Self.settings(in: path + "/secrets.env")
        if let value = known[name] { return value }
        // The system's generator is the kernel's: fit for secrets.
        let random = (0..<bytes).map { _ in UInt8.random(in: .min ... .max) }
        let digits = Array("0123456789abcdef")
        let value = random.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        known[name] = value
        try Files.write(path + "/secrets.env", Self.text(known), mode: 0o600)
        return value
    }

    /// Writes a file that only this user may read.
    /// - Returns: its path.
    package func file(_ name: String, _ text: String) throws -> String {
        try Files.write("\(path)/\(name)", text, mode: 0o600)
        return "\(path)/\(name)"
    }

    /// The text of a file, wherever it is.
    package static func text(of path: String) throws -> String { try Files.read(path) }

    /// Replaces a file, wherever it is, in one step.
    package static func replace(_ path: String, with text: String) throws { try Files.write(path, text) }

    /// Writes what runs where, for other commands to find (`endpoints.env`).
    package func publish(_ endpoints: [String: String]) throws {
        try Files.write(path + "/endpoints.env", Self.text(endpoints), mode: 0o600)
    }

    /// Forgets what ran where.
    package func withdraw() { unlink(path + "/endpoints.env") }

    /// What `publish` wrote in a folder; empty when nothing runs there.
    package static func endpoints(in folder: String) -> [String: String] { settings(in: folder + "/endpoints.env") }

    private static func settings(in path: String) -> [String: String] {
        guard let text = try? Files.read(path) else { return [:] }
        var result: [String: String] = [:]
        for line in text.split(separator: "\n") {
            if let equals = line.firstIndex(of: "=") {
                result[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
        }
        return result
    }

    private static func text(_ values: [String: String]) -> String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
    }
}
