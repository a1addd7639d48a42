internal import CLibPQ
internal import EventLoop
internal import Glibc

/// One connection to the server, driven without blocking on one event loop; one statement at a time.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; the handle is finished once.
final class PostgreSQLConnection: @unchecked Sendable {
    let loop: EventLoop
    private var handle: OpaquePointer?
    private var watcher: FileDescriptorWatcher?
    private var connecting: CheckedContinuation<Void, any Error>?
    private var running: CheckedContinuation<ResultHandle?, any Error>?
    private var timer: LoopTimer?
    private var collected: OpaquePointer?
    /// Statement text to the name that it was prepared under.
    private var prepared: [String: String] = [:]
    private var preparedCount = 0
    var onNotification: ((_ channel: String, _ payload: String) -> Void)?
    /// The connection broke while nothing ran on it.
    var onBroken: (() -> Void)?

    private static let maxPrepared = 256
    private static let cancellers = WorkerPool(threads: 1, capacity: 256, name: "pg-cancel")

    private init(loop: EventLoop, handle: OpaquePointer) {
        self.loop = loop
        self.handle = handle
    }

    deinit {
        watcher?.close()
        if let collected { PQclear(collected) }
        if let handle { PQfinish(handle) }
    }

    var isUsable: Bool { handle != nil }

    // MARK: Opening

    /// - Throws: `PostgreSQLError.connection`.
    static func open(
        _ configuration: PostgreSQLClient.Configuration, on loop: EventLoop, applicationName: String
    ) async throws -> PostgreSQLConnection {
        loop.preconditionInLoop()
        let options =
            "-c statement_timeout=\(configuration.statementTimeoutMilliseconds)"
            + " -c lock_timeout=\(configuration.lockTimeoutMilliseconds)"
            + " -c idle_in_transaction_session_timeout=\(configuration.idleInTransactionTimeoutMilliseconds)"
            + " -c timezone=UTC"
        let address = try await ConnectionAddress.resolve(configuration.url)
        var values: [(String, String)] = [
            ("dbname", configuration.url), ("options", options), ("application_name", applicationName),
            ("client_encoding", "UTF8"),
        ]
        if let address { values.append(("hostaddr", address)) }
        let keys = values.map { strdup($0.0) } + [nil]
        let texts = values.map { strdup($0.1) } + [nil]
        defer { for pointer in keys + texts { free(pointer) } }
        let handle = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
            texts.map { UnsafePointer($0) }.withUnsafeBufferPointer { texts in
                PQconnectStartParams(keys.baseAddress, texts.baseAddress, 1)
            }
        }
        guard let handle else { throw PostgreSQLError.connection("out of memory") }
        let connection = PostgreSQLConnection(loop: loop, handle: handle)
        guard PQstatus(handle) != CONNECTION_BAD else { throw connection.failure() }
        try await connection.finishConnecting(timeoutMilliseconds: configuration.connectTimeoutMilliseconds)
        return connection
    }

    private func finishConnecting(timeoutMilliseconds: Int) async throws {
        try await withCheckedThrowingContinuation { continuation in
            connecting = continuation
            timer = loop.schedule(afterMilliseconds: UInt64(timeoutMilliseconds)) { [weak self] in
                self?.endConnecting(.connection("no answer after \(timeoutMilliseconds) ms"))
            }
            watchSocket([.writable])
        }
        guard let handle else { throw PostgreSQLError.connection("closed") }
        PQsetnonblocking(handle, 1)
        watchSocket([.readable])
    }

    private func pollConnecting() {
        guard let handle else { return }
        let state = PQconnectPoll(handle)
        // The socket may be another one after each step.
        switch state {
        case PGRES_POLLING_READING: watchSocket([.readable])
        case PGRES_POLLING_WRITING: watchSocket([.writable])
        case PGRES_POLLING_OK: endConnecting(nil)
        default: endConnecting(failure())
        }
    }

    private func endConnecting(_ error: PostgreSQLError?) {
        guard let connecting else { return }
        self.connecting = nil
        timer?.cancel()
        timer = nil
        if let error {
            close()
            connecting.resume(throwing: error)
        } else {
            connecting.resume()
        }
    }

    private var watchedDescriptor: Int32 = -1

    private func watchSocket(_ events: FileDescriptorWatcher.Events) {
        guard let handle else { return }
        let descriptor = PQsocket(handle)
        if descriptor != watchedDescriptor || watcher == nil {
            watcher?.close()
            watchedDescriptor = descriptor
            watcher = FileDescriptorWatcher(loop: loop, descriptor: descriptor) { [weak self] in self?.ready($0) }
        }
        watcher?.watch(events)
    }

    /// libpq's words, first line only, which name host and port but never the password.
    private func failure() -> PostgreSQLError {
        guard let handle else { return .connection("the connection is closed") }
        let text = String(cString: PQerrorMessage(handle))
        return .connection(String(text.split(separator: "\n").first ?? "the server closed the connection"))
    }

    // MARK: Statements

    /// Runs a prepared statement, preparing it on its first use.
    func run(_ sql: SQL, timeoutMilliseconds: Int) async throws -> PostgreSQLResult {
        let name = try await prepare(sql.text, timeoutMilliseconds: timeoutMilliseconds)
        let result = try await perform(timeoutMilliseconds: timeoutMilliseconds) { handle in
            Self.sendPrepared(handle, name, sql.parameters)
        }
        guard let result else { throw PostgreSQLError.connection("the server sent no result") }
        return PostgreSQLResult(result)
    }

    /// Runs a script of several statements without parameters (simple protocol).
    func script(_ text: String, timeoutMilliseconds: Int) async throws {
        _ = try await perform(timeoutMilliseconds: timeoutMilliseconds) { PQsendQuery($0, text) }
    }

    private func prepare(_ text: String, timeoutMilliseconds: Int) async throws -> String {
        if let name = prepared[text] { return name }
        if prepared.count >= Self.maxPrepared {
            // Rare: a service has a fixed set of statements. Start over rather than track ages.
            try await script("DEALLOCATE ALL", timeoutMilliseconds: timeoutMilliseconds)
            prepared = [:]
        }
        preparedCount += 1
        let name = "s\(preparedCount)"
        _ = try await perform(timeoutMilliseconds: timeoutMilliseconds) { PQsendPrepare($0, name, text, 0, nil) }
        prepared[text] = name
        return name
    }

    private static func sendPrepared(_ handle: OpaquePointer, _ name: String, _ parameters: [PostgreSQLParameter])
        -> Int32
    {
        if parameters.isEmpty { return PQsendQueryPrepared(handle, name, 0, nil, nil, nil, 0) }
        // All texts in one buffer, each ended by a zero byte; a zero inside a value ends it, as libpq would see it.
        var bytes: [CChar] = []
        var offsets: [Int] = []
        for parameter in parameters {
            guard let text = parameter.text else {
                offsets.append(-1)
                continue
            }
            offsets.append(bytes.count)
            bytes.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
            bytes.append(0)
        }
        return bytes.withUnsafeBufferPointer { buffer in
            let pointers = offsets.map { offset -> UnsafePointer<CChar>? in
                offset < 0 ? nil : buffer.baseAddress.map { $0 + offset }
            }
            return pointers.withUnsafeBufferPointer {
                PQsendQueryPrepared(handle, name, Int32(parameters.count), $0.baseAddress, nil, nil, 0)
            }
        }
    }

    private func perform(
        timeoutMilliseconds: Int, _ send: (OpaquePointer) -> Int32
    ) async throws -> ResultHandle? {
        loop.preconditionInLoop()
        try Task.checkCancellation()
        guard let handle else { throw PostgreSQLError.connection("the connection is closed") }
        precondition(running == nil, "a PostgreSQL connection runs one statement at a time")
        guard send(handle) == 1 else {
            let error = failure()
            close()
            throw error
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                running = continuation
                // The server has its own time-out; this one is for a server that says nothing at all.
                timer = loop.schedule(afterMilliseconds: UInt64(timeoutMilliseconds) + Self.graceMilliseconds) {
                    [weak self] in self?.breakDown(.connection("the server does not answer"))
                }
                flush()
            }
        } onCancel: {
            loop.execute { self.cancelRunning() }
        }
    }

    private static let graceMilliseconds: UInt64 = 2_000

    private func cancelRunning() {
        guard running != nil, let handle, let cancel = PQgetCancel(handle) else { return }
        // PQcancel opens a connection of its own and blocks on it.
        nonisolated(unsafe) let unsafeCancel = cancel
        let accepted = Self.cancellers.submit {
            var message = [CChar](repeating: 0, count: 256)
            PQcancel(unsafeCancel, &message, Int32(message.count))
            PQfreeCancel(unsafeCancel)
        }
        if !accepted { PQfreeCancel(cancel) }
    }

    private func flush() {
        guard let handle else { return }
        switch PQflush(handle) {
        case 0: watchSocket([.readable])
        case 1: watchSocket([.readable, .writable])
        default: breakDown(failure())
        }
    }

    private func ready(_ events: FileDescriptorWatcher.Events) {
        if connecting != nil { return pollConnecting() }
        guard let handle else { return }
        if events.contains(.writable) { flush() }
        guard events.contains(.readable), self.handle != nil else { return }
        guard PQconsumeInput(handle) == 1 else { return breakDown(failure()) }
        collectResults(handle)
        deliverNotifications(handle)
    }

    private func collectResults(_ handle: OpaquePointer) {
        guard running != nil else { return }
        while PQisBusy(handle) == 0 {
            guard let result = PQgetResult(handle) else { return complete() }
            // The first failure counts, otherwise the last result.
            if let kept = collected, Self.isFailure(kept) {
                PQclear(result)
            } else {
                if let kept = collected { PQclear(kept) }
                collected = result
            }
        }
    }

    private static func isFailure(_ result: OpaquePointer) -> Bool {
        let status = PQresultStatus(result)
        return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE
    }

    private func complete() {
        guard let running else { return }
        self.running = nil
        timer?.cancel()
        timer = nil
        let result = collected
        collected = nil
        guard let result else { return running.resume(returning: nil) }
        guard Self.isFailure(result) else { return running.resume(returning: ResultHandle(result)) }
        defer { PQclear(result) }
        let code = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? ""
        let constraint = PQresultErrorField(result, Int32(UInt8(ascii: "n"))).map { String(cString: $0) }
        if code.isEmpty || code.hasPrefix("57P") || code.hasPrefix("08") {
            close()
            running.resume(throwing: PostgreSQLError.connection(message.isEmpty ? "the connection broke" : message))
        } else if code == "57014", Task.isCancelled {
            running.resume(throwing: CancellationError())
        } else {
            running.resume(throwing: PostgreSQLError.server(code: code, message: message, constraint: constraint))
        }
    }

    private func deliverNotifications(_ handle: OpaquePointer) {
        while let notification = PQnotifies(handle) {
            let channel = String(cString: notification.pointee.relname)
            let payload = String(cString: notification.pointee.extra)
            PQfreemem(notification)
            onNotification?(channel, payload)
        }
    }

    // MARK: The end

    private func breakDown(_ error: PostgreSQLError) {
        close()
        timer?.cancel()
        timer = nil
        if let running {
            self.running = nil
            running.resume(throwing: error)
        } else {
            onBroken?()
        }
    }

    func close() {
        watcher?.close()
        watcher = nil
        guard let handle else { return }
        self.handle = nil
        PQfinish(handle)
    }
}
