import Glibc
import Synchronization
import TelemetryTesting

/// Certificates of an authority of the test's own, made by `openssl`.
final class TestCertificates: Sendable {
    let folder = TemporaryFolder()

    var authority: String { folder.path + "/ca.pem" }
    func certificate(_ name: String) -> String { folder.path + "/\(name).pem" }
    func key(_ name: String) -> String { folder.path + "/\(name).key" }

    /// `server` for 127.0.0.1 and localhost, `other` for another host, `expired` for 127.0.0.1 but of yesterday, `client`;
    /// and `stranger.pem`, an authority that signed none of them.
    private init() async throws {
        let program = """
            import subprocess, sys
            folder = sys.argv[1]
            def openssl(*arguments):
                done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
            for ca in ["ca", "stranger"]:
                openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", ca + ".key", "-out", ca + ".pem", "-subj", "/CN=" + ca)
            open(folder + "/index.txt", "w").close()
            open(folder + "/ca.cnf", "w").write('''
            [ca]
            default_ca = this
            [this]
            database = index.txt
            new_certs_dir = .
            rand_serial = yes
            default_md = sha256
            unique_subject = no
            policy = any
            [any]
            commonName = supplied
            ''')
            for name, san, start, end in [
                ("server", "IP:127.0.0.1,DNS:localhost", "20200101000000Z", "20990101000000Z"),
                ("other", "DNS:elsewhere.example", "20200101000000Z", "20990101000000Z"),
                ("expired", "IP:127.0.0.1", "20200101000000Z", "20200201000000Z"),
                ("client", "DNS:client.example", "20200101000000Z", "20990101000000Z"),
            ]:
                openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                        "-out", name + ".csr", "-subj", "/CN=" + name)
                open(folder + "/" + name + ".ext", "w").write("subjectAltName=" + san + "\\n")
                openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-notext",
                        "-startdate", start, "-enddate", end, "-extfile", name + ".ext", "-in", name + ".csr",
                        "-out", name + ".pem")
            """
        let made = try await Judge.python(program, [folder.path])
        guard made.status == 0 else { throw Failed(description: made.errors) }
    }

    /// The same for all tests that want them at once: to make them takes a dozen processes.
    static func shared() async throws -> TestCertificates { try await Cache.shared.certificates() }

    private actor Cache {
        static let shared = Cache()
        private weak var known: TestCertificates?
        private var making: Task<TestCertificates, any Error>?

        func certificates() async throws -> TestCertificates {
            if let known { return known }
            let task = making ?? Task { try await TestCertificates() }
            making = task
            let made = try await task.value
            (known, making) = (made, nil)
            return made
        }
    }

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }
}

/// A server of Python's `ssl`, in a process of its own that ends with this one, or with the object.
final class TLSPeer {
    /// What it does with a connection.
    enum Kind: String {
        /// Answers each request with 200.
        case http
        /// Writes what it reads into a file, as Logstash would take it.
        case lines
        /// Takes no version above TLS 1.1.
        case old
        /// Accepts connections and never says a word.
        case silent
    }

    let port: UInt16
    private let process: Int32
    /// The process ends when nobody holds this end of its standard input.
    private let lifeline: Int32
    private let folder = TemporaryFolder()
    private let out: String

    init(_ kind: Kind, _ certificates: TestCertificates, _ name: String = "server", wantsClient: Bool = false)
        async throws
    {
        out = folder.path + "/out"
        let program = """
            import os, socket, ssl, sys, threading
            threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
            kind, certificate, key, authority, wants_client, out = sys.argv[1:7]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            if wants_client == "yes":
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(authority)
            if kind == "old":
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
                context.set_ciphers("ALL:@SECLEVEL=0")
            names = []
            context.sni_callback = lambda connection, name, context: names.append(name)
            lock = threading.Lock()
            def tell(text):
                with lock, open(out, "ab") as file: file.write(text)
            def serve(raw):
                try:
                    if kind == "silent": return threading.Event().wait()
                    with context.wrap_socket(raw, server_side=True) as connection:
                        if kind == "lines":
                            while data := connection.recv(65536): tell(data)
                            return
                        data = b""
                        while more := connection.recv(65536):
                            data += more
                            head, split, rest = data.partition(b"\\r\\n\\r\\n")
                            length = [int(l.split(b":")[1]) for l in head.split(b"\\r\\n") if l.lower().startswith(b"content-length")]
                            if split and len(rest) >= (length or [0])[0]:
                                tell(b"%s %d %s\\n" % (connection.version().encode(), len(rest), str(names[-1:]).encode()))
                                data = b""
                                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
                except OSError: pass
            listener = socket.create_server(("127.0.0.1", 0))
            print(listener.getsockname()[1], flush=True)
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()
            """
        let script = folder.path + "/peer.py"
        folder.write("peer.py", Array(program.utf8))
        folder.write("out", [])
        let arguments = [
            ChildProcess.pythonPath, script, kind.rawValue,
            certificates.certificate(name), certificates.key(name), certificates.authority, wantsClient ? "yes" : "no",
            out,
        ]
        var ends: [Int32] = [-1, -1]
        var life: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0 && pipe(&life) == 0)
        for end in ends + life { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, life[0], STDIN_FILENO)
        var words = arguments.map { strdup($0) } + [nil]
        var pid: pid_t = 0
        let status = posix_spawn(&pid, ChildProcess.pythonPath, &actions, nil, &words, environ)
        posix_spawn_file_actions_destroy(&actions)
        for word in words { free(word) }
        close(ends[1])
        close(life[0])
        lifeline = life[1]
        process = pid
        guard status == 0 else {
            throw TestCertificates.Failed(description: "\(ChildProcess.pythonPath) is missing: run `make setup` first")
        }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var text = ""
        let isThere = await eventually {
            var chunk = [UInt8](repeating: 0, count: 64)
            while case let count = Glibc.read(ends[0], &chunk, chunk.count), count > 0 {
                text += String(decoding: chunk[..<count], as: UTF8.self)
            }
            return text.hasSuffix("\n")
        }
        close(ends[0])
        guard isThere, let port = UInt16(text.dropLast()) else {
            throw TestCertificates.Failed(description: "the TLS peer did not start")
        }
        self.port = port
    }

    deinit {
        close(lifeline)
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// What it has written down.
    func text() -> String { folder.text("out") }
}
