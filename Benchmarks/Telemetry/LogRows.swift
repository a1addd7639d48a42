import Synchronization
import Telemetry

extension Row {
    private static let served = LogEvent("http.request", help: "A request was answered.")
    private static let method = AttributeKey("http.request.method")
    private static let path = AttributeKey("url.path")
    private static let status = AttributeKey("http.response.status_code")
    private static let duration = AttributeKey("event.duration")
    private static let paths = [
        "/order-api/orders/", "/catalog-api/products/42", "/cart-api/items", "/api/users/login",
    ]

    static let logs: [Row] = [Row("log", line), Row("log-zap", line)]

    /// A line with four fields, looked through for secrets, encoded, and copied to where a writer would take it.
    @Sendable private static func line() -> @Sendable (Int) -> Void {
        let telemetry = Telemetry(resource: ServiceResource(name: "orders"), spanSink: nil, logSink: CopyingSink())
        let logger = telemetry.logger
        return { times in
            for index in 0..<times {
                logger.log(
                    served, "request answered",
                    [
                        Attribute(method, "GET"), Attribute(path, .string(paths[index & 3])),
                        Attribute(status, .int(200)), Attribute(duration, .int(1_000_000 + index)),
                    ])
            }
        }
    }
}

/// Keeps lines as the log writer does until it comes by, and then forgets them.
private final class CopyingSink: LogSink {
    private static let maxBytes = 256 * 1024
    private let buffer = Mutex(ByteBuffer(capacity: CopyingSink.maxBytes))

    func write(_ line: UnsafeRawBufferPointer) {
        guard let bytes = line.bindMemory(to: UInt8.self).baseAddress else { return }
        buffer.withLock { buffer in
            if buffer.count + line.count > Self.maxBytes { buffer.removeAll() }
            buffer.append(bytes, count: line.count)
        }
    }
}
