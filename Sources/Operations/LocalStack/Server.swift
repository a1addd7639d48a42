internal import Glibc

/// What every private server needs: its program, its folder, and a question that tells when it is ready.
enum Server {
    /// Waits until `isReady` says so.
    /// - Throws: when the process ends or the time is over, with the last lines of its log.
    static func wait(
        for child: ChildProcess, timeoutMilliseconds: Int, _ isReady: () throws -> Bool
    ) throws {
        let step = 25
        for _ in 0..<(timeoutMilliseconds / step) {
            if !child.isRunning {
                throw LocalStackError(
                    "\(child.name) ended while starting; its log \(child.logPath) ends with:\n\(child.lastLines())")
            }
            if try isReady() { return }
            usleep(UInt32(step) * 1000)
        }
        child.stop()
        throw LocalStackError(
            "\(child.name) was not ready after \(timeoutMilliseconds / 1000) s; its log \(child.logPath) ends with:\n"
                + child.lastLines())
    }

    static func require(_ program: String, in folders: [String] = [], package: String) throws -> String {
        guard let path = Files.program(program, in: folders) else {
            throw LocalStackError("\(program) is not installed: run 'make setup' (Debian package \(package))")
        }
        return path
    }
}
