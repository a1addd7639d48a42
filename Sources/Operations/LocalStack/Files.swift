internal import Glibc

/// The few file operations that the launcher needs, each with an error that names the path.
enum Files {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw failure("read", path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Replaces a file in one step.
    static func write(_ path: String, _ text: String, mode: mode_t = 0o644) throws {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode)
        guard descriptor >= 0 else { throw failure("write", path) }
        let bytes = Array(text.utf8)
        let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        guard written == bytes.count, rename(temporary, path) == 0 else { throw failure("write", path) }
    }

    static func makeFolder(_ path: String, mode: mode_t = 0o755) throws {
        var built = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            built += "/" + part
            if mkdir(built, mode) != 0, errno != EEXIST { throw failure("create the folder", path) }
        }
    }

    /// Removes the files of a folder, and the folder; nothing when there is none.
    static func removeFolder(_ path: String) throws {
        guard exists(path) else { return }
        for name in children(of: path) {
            guard unlink("\(path)/\(name)") == 0 else { throw failure("remove", "\(path)/\(name)") }
        }
        guard rmdir(path) == 0 else { throw failure("remove", path) }
    }

    /// Gives a folder to a system user, when this process is root.
    static func give(_ path: String, to user: String) throws {
        guard geteuid() == 0 else { return }
        guard let entry = getpwnam(user) else {
            throw LocalStackError("the system user '\(user)' is missing: run 'make setup'")
        }
        guard chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else { throw failure("give away", path) }
    }

    /// The first of these programs that exists, or one found on PATH.
    static func program(_ name: String, in folders: [String] = []) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        for folder in folders + path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/bin"] {
            let candidate = folder + "/" + name
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    static func children(of folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func failure(_ what: String, _ path: String) -> LocalStackError {
        LocalStackError("cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
