import Glibc

/// A private nginx: own port, own folder, in the foreground, one worker; killed with `stop`.
///
/// `/` answers at once with what nginx understood; `/body` goes through a proxy hop, so that nginx reads the whole body
/// before it answers.
final class Nginx {
    private static let executable = "/usr/sbin/nginx"

    let port: UInt16
    private let folder: String
    private var process: pid_t = 0

    static var isInstalled: Bool { access(executable, X_OK) == 0 }

    init?() {
        guard let port = Self.freePort(), let folder = Self.makeFolder() else { return nil }
        self.port = port
        self.folder = folder
        let configuration = """
            daemon off; master_process off; worker_processes 1; pid \(folder)/pid; error_log \(folder)/error.log crit;
            events { worker_connections 4096; }
            http {
              access_log off; client_max_body_size 1m; client_header_buffer_size 16k; large_client_header_buffers 4 16k;
              client_body_temp_path \(folder)/body; proxy_temp_path \(folder)/proxy; fastcgi_temp_path \(folder)/fastcgi;
              uwsgi_temp_path \(folder)/uwsgi; scgi_temp_path \(folder)/scgi; keepalive_requests 100000;
              server {
                listen 127.0.0.1:\(port) backlog=4096; merge_slashes off;
                location / { return 200 "$request_method"; }
                location /body { proxy_pass http://127.0.0.1:\(port)/echo; proxy_ignore_client_abort on; }
              }
            }
            """
        guard Self.write(configuration, to: folder + "/conf") else { return nil }
        // It writes to its default log before it has read where its own is.
        let arguments = [Self.executable, "-c", folder + "/conf", "-p", folder, "-e", folder + "/error.log"]
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        guard posix_spawn(&process, Self.executable, nil, nil, &pointers, environ) == 0 else { return nil }
        guard waitUntilListening() else {
            stop()
            return nil
        }
    }

    func stop() {
        if process > 0 {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
            process = 0
        }
        for name in ["conf", "pid", "error.log"] { unlink(folder + "/" + name) }
        for name in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] { rmdir(folder + "/" + name) }
        rmdir(folder)
    }

    /// Sends the bytes on a connection of their own, ends writing, and reads until nginx closes.
    func exchange(_ bytes: [UInt8]) -> [UInt8] {
        guard let socket = connect() else { return [] }
        defer { close(socket) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { break }
            sent += count
        }
        shutdown(socket, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { return answer }
            answer += buffer[..<count]
        }
    }

    // MARK: Parts

    private func connect() -> Int32? {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        // Nothing that nginx still waits for after the end of input may hold the test up.
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = Self.loopback(port)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(socket)
            return nil
        }
        return socket
    }

    private func waitUntilListening() -> Bool {
        for _ in 0..<500 {
            if let socket = connect() {
                close(socket)
                return true
            }
            usleep(10_000)
        }
        return false
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func freePort() -> UInt16? {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }

    private static func makeFolder() -> String? {
        var template = Array("/tmp/vitrine-nginx-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        defer { fclose(file) }
        return fputs(text, file) >= 0
    }
}
