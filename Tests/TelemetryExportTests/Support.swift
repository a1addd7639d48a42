import Glibc
import Telemetry
import TelemetrySDK

extension MetricRegistry {
    /// The value of a line of the Prometheus text that begins with `series` and a space.
    func value(_ series: String) -> Double? {
        let text = String(decoding: MetricsExposition.render(self, format: .fallback), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Double($0.dropFirst(series.utf8.count + 1)) }
    }
}

/// A pipe whose reading end the test holds.
final class TestPipe {
    let writing: Int32
    private let reading: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
        _ = fcntl(reading, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// What can be read now.
    func read() -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while case let count = Glibc.read(reading, &chunk, chunk.count), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A TCP listener that accepts when the test says so.
final class TestListener {
    let port: UInt16
    private let socket: Int32

    init(port: UInt16 = 0) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(bind(socket, generic, size) == 0 && listen(socket, 8) == 0)
                getsockname(socket, generic, &size)
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    }

    deinit { close(socket) }

    /// The next connection, when there is one.
    func accept() -> TestConnection? {
        let connection = Glibc.accept(socket, nil, nil)
        return connection >= 0 ? TestConnection(connection) : nil
    }
}

final class TestConnection {
    private let socket: Int32

    init(_ socket: Int32) {
        self.socket = socket
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    }

    deinit { close(socket) }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What can be read now.
    func read(atMost limit: Int = .max) -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 64 * 1024))
        while text.count < limit, case let count = Glibc.read(socket, &chunk, chunk.count), count > 0 {
            text += chunk[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}
