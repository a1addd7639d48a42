internal import Glibc

/// A server started as a child of this process, whose output goes to a file, and which dies with its parent.
///
/// Safety (`@unchecked Sendable`): the process id is set once; signals and waits are system calls.
package final class ChildProcess: @unchecked Sendable {
    package let name: String
    package let processID: Int32
    package let logPath: String

    /// Starts a program.
    /// - Parameters:
    ///   - arguments: the program's path or name, then its arguments.
    ///   - environment: added to this process's own; an empty value removes a variable.
    ///   - user: the system user to become, when this process is root.
    ///   - deathSignal: what it gets when this process dies without a word.
    /// - Throws: `LocalStackError` when it cannot be started.
    package init(
        name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil,
        user: String? = nil, deathSignal: String = "TERM", logPath: String
    ) throws {
        self.name = name
        self.logPath = logPath
        // `setpriv --pdeathsig` makes the kernel end the child when its parent dies, however it dies.
        var command = ["setpriv", "--pdeathsig", deathSignal]
        if let user, geteuid() == 0 { command += ["--reuid=\(user)", "--regid=\(user)", "--clear-groups"] }
        command += ["--"]
        if let folder { command += ["env", "-C", folder] }
        command += arguments

        var variables = Self.environment()
        for (name, value) in environment { variables[name] = value.isEmpty ? nil : value }
        let spawned = Spawner.spawn(command, environment: variables, logPath: logPath)
        guard spawned.error == 0 else {
            let reason = String(cString: strerror(spawned.error))
            throw LocalStackError("\(name) cannot be started: \(reason) (\(arguments[0]))")
        }
        processID = spawned.process
    }

    /// Whether it still runs.
    package var isRunning: Bool {
        var status: Int32 = 0
        return waitpid(processID, &status, WNOHANG) == 0
    }

    package func signal(_ number: Int32) { kill(processID, number) }

    /// Asks it to end, waits, and kills it when it does not.
    /// - Parameter signal: what asks this program to end cleanly.
    package func stop(signal number: Int32 = SIGTERM, timeoutMilliseconds: Int = 10_000) {
        guard isRunning else { return }
        signal(number)
        for _ in 0..<(timeoutMilliseconds / 20) {
            if !isRunning { return }
            usleep(20_000)
        }
        kill(-processID, SIGKILL)
        signal(SIGKILL)
        var status: Int32 = 0
        waitpid(processID, &status, 0)
    }

    /// The last lines of its output, for an error message.
    package func lastLines(_ count: Int = 8) -> String {
        let text = (try? Files.read(logPath)) ?? ""
        return text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }

    private static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            pointer += 1
        }
        return result
    }
}

/// Why the local servers cannot run: one sentence that says what to do.
package struct LocalStackError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
