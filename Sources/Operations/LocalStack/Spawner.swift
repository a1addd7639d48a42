internal import EventLoop
internal import Glibc

/// Starts programs from one thread that lives as long as the process.
///
/// The kernel sends a child its parent-death signal when the *thread* that made it ends (prctl(2),
/// PR_SET_PDEATHSIG), and threads of the Swift runtime's pool come and go.
enum Spawner {
    private static let thread = WorkerPool(threads: 1, name: "spawner")

    private final class Outcome: @unchecked Sendable {
        // Safety: written by the spawner before it posts `done`, read by the caller after it waited for it.
        var process: pid_t = 0
        var error: Int32 = 0
        let done: UnsafeMutablePointer<sem_t> = .allocate(capacity: 1)
        init() { sem_init(done, 0, 0) }
        deinit {
            sem_destroy(done)
            done.deallocate()
        }
    }

    static func spawn(_ command: [String], environment: [String: String], logPath: String)
        -> (process: pid_t, error: Int32)
    {
        let outcome = Outcome()
        let accepted = thread.submit {
            outcome.error = start(command, environment: environment, logPath: logPath, process: &outcome.process)
            sem_post(outcome.done)
        }
        guard accepted else { return (0, EAGAIN) }
        while sem_wait(outcome.done) != 0 {}
        return (outcome.process, outcome.error)
    }

    private static func start(
        _ command: [String], environment: [String: String], logPath: String, process: inout pid_t
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: Ctrl-C at the terminal reaches this process only, which then stops servers in order.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)

        let argv = command.map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        return posix_spawnp(&process, command[0], &actions, &attributes, argv, envp)
    }
}
