internal import Glibc

/// Runs a short program to its end.
package enum Command {
    package struct Result: Sendable {
        package let status: Int32
        package let output: String
    }

    /// - Parameter timeoutMilliseconds: then the program is killed and the status is 124.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], user: String? = nil, folder: String? = nil,
        timeoutMilliseconds: Int = 60_000
    ) throws -> Result {
        var template = Array("/tmp/vitrine-command-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw LocalStackError("no temporary file can be made in /tmp") }
        close(descriptor)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o666)
        defer { unlink(path) }
        let child = try ChildProcess(
            name: arguments[0], arguments, environment: environment, folder: folder, user: user, logPath: path)
        var status: Int32 = 0
        for _ in 0..<(timeoutMilliseconds / 5) {
            if waitpid(child.processID, &status, WNOHANG) != 0 {
                let code = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
                return Result(status: code, output: try Files.read(path))
            }
            usleep(5_000)
        }
        child.signal(SIGKILL)
        waitpid(child.processID, &status, 0)
        return Result(status: 124, output: try Files.read(path))
    }
}
