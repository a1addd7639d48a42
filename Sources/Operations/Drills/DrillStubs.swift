internal import EventLoop
internal import Glibc
internal import HTTP
internal import HTTPCodec
internal import Synchronization

/// What stands behind the telemetry of two services: a collector that can refuse, and a Logstash that can go.
final class DrillStubs: Sendable {
    enum Mood: Sendable { case well, refusing }

    private let server: HTTPServer
    private let logs = Mutex<LogSink?>(nil)
    let logPort: Int

    private final class Box: Sendable {
        let mood = Mutex(Mood.well)
    }
    private let box: Box

    init(group: EventLoopGroup, logPort: Int) async throws {
        self.logPort = logPort
        let box = Box()
        self.box = box
        var configuration = HTTPServer.Configuration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        server = HTTPServer(configuration: configuration, group: group) { request async throws -> HTTPResponse in
            _ = try await request.body.collect(upTo: 16 << 20)
            switch box.mood.withLock({ $0 }) {
            case .well: return HTTPResponse(status: .ok)
            case .refusing: return HTTPResponse(status: .badRequest)
            }
        }
        try await server.start()
        startLogs()
    }

    var collectorURL: String { "http://127.0.0.1:\(server.port)" }
    func setMood(_ mood: Mood) { box.mood.withLock { $0 = mood } }

    func startLogs() { logs.withLock { $0 = $0 ?? LogSink(port: logPort) } }
    func stopLogs() {
        logs.withLock {
            $0?.stop()
            $0 = nil
        }
    }

    func stop() async {
        stopLogs()
        await server.drain(timeoutSeconds: 1)
    }
}

/// Takes connections and reads what comes, on threads of its own.
private final class LogSink: Sendable {
    private let listener: Int32
    private let connections = Mutex<[Int32]>([])

    init?(port: Int) {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let descriptor = listener
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, listen(listener, 16) == 0 else {
            close(listener)
            return nil
        }
        start { sink in sink.acceptAll() }
    }

    private final class Work {
        let sink: LogSink
        let body: (LogSink) -> Void
        init(_ sink: LogSink, _ body: @escaping (LogSink) -> Void) {
            self.sink = sink
            self.body = body
        }
        func run() { body(sink) }
    }

    private func start(_ body: @escaping (LogSink) -> Void) {
        var thread: pthread_t = 0
        let work = Unmanaged.passRetained(Work(self, body)).toOpaque()
        guard pthread_create(&thread, nil, runSink, work) == 0 else { return }
        pthread_detach(thread)
    }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
    }

    private func acceptAll() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { break }
            connections.withLock { $0.append(connection) }
            start { $0.read(connection) }
        }
    }

    private func read(_ connection: Int32) {
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        while recv(connection, &bytes, bytes.count, 0) > 0 {}
        connections.withLock { $0.removeAll { $0 == connection } }
        close(connection)
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        connections.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } }
    }
}

private func runSink(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { LogSink.run(argument) }
    return nil
}
