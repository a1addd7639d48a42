internal import Glibc

/// Runs a program with a given standard input and gives back what it printed. Tests hold our output against judges that
/// we did not write: promtool, and the Python packages that `make setup` puts into `.vitrine/venv`.
package struct ChildProcess: Sendable {
    /// The exit status; -1 when a signal ended the program.
    package let status: Int32
    package let output: String
    package let errors: String

    /// The root of the package, where `make setup` puts `.vitrine/venv`.
    package static let packageRoot: String = {
        let parts = #filePath.split(separator: "/").dropLast(4)
        return "/" + parts.joined(separator: "/")
    }()

    /// The interpreter with the packages of `make setup`.
    package static var pythonPath: String { packageRoot + "/.vitrine/venv/bin/python3" }

    /// The program could not be run.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs a Python program with the packages of `make setup`.
    /// - Throws: `Failure` when the interpreter is missing or cannot be started.
    package static func python(_ program: String, _ arguments: [String] = [], input: [UInt8] = []) throws
        -> ChildProcess
    {
        let python = pythonPath
        guard access(python, X_OK) == 0 else {
            throw Failure(description: "\(python) is missing: run `make setup` first")
        }
        return try run(python, ["-c", program] + arguments, input: input)
    }

    /// The program's path: as given when it has a slash, else from the folders of `PATH`.
    private static func find(_ program: String) -> String? {
        let candidates: [String]
        if program.contains("/") {
            candidates = [program]
        } else {
            let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
            candidates = folders.split(separator: ":").map { $0 + "/" + program }
        }
        return candidates.first { access($0, X_OK) == 0 }
    }

    /// Runs a program to its end.
    /// - Parameter path: a path, or a name to look for in `PATH`.
    /// - Throws: `Failure` when it is missing or cannot be started.
    package static func run(_ path: String, _ arguments: [String], input: [UInt8] = []) throws -> ChildProcess {
        guard let path = find(path) else {
            throw Failure(description: "\(path) is missing: run `make setup` first")
        }
        // Files, not pipes: no order of reading and writing can then block.
        let inputFile = try TemporaryFile(input)
        let outputFile = try TemporaryFile([])
        let errorFile = try TemporaryFile([])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputFile.path, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile.path, O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile.path, O_WRONLY, 0)
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var child = pid_t()
        let result = posix_spawn(&child, path, &actions, nil, &argv, environ)
        guard result == 0 else { throw Failure(description: "cannot start \(path): error \(result)") }
        var status: Int32 = 0
        while waitpid(child, &status, 0) == -1, errno == EINTR {}
        return ChildProcess(
            status: status & 0x7F == 0 ? (status >> 8) & 0xFF : -1, output: try outputFile.text(),
            errors: try errorFile.text())
    }
}

private final class TemporaryFile {
    let path: String

    init(_ content: [UInt8]) throws {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
        var template = Array("\(folder)/vitrine-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw ChildProcess.Failure(description: "cannot make a temporary file") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var rest = content[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { break }
            rest = rest.dropFirst(written)
        }
        close(descriptor)
    }

    deinit { unlink(path) }

    func text() throws -> String {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw ChildProcess.Failure(description: "cannot read \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
