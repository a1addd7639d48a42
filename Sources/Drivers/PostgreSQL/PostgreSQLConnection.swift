internal import CLibPQ
internal import EventLoop
internal import Glibc
internal import Telemetry

/// One connection to the server, driven without blocking on one event loop; one statement at a time.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; the handle is finished once.
final class PostgreSQLConnection: @unchecked Sendable {
    let loop: EventLoop
    private var handle: OpaquePointer?
    private var watcher: FileDescriptorWatcher?
    private var connecting: CheckedContinuation<Void, any Error>?
    private var running: CheckedContinuation<ResultHandle?, any Error>?
    /// Time-out of what is under way.
    private let alarm: LoopAlarm
    /// The running statement's time was up, and the server was told.
    private var isOverdue = false
    /// A request to cancel the running statement is on its way.
    private var isCancelling = false
    /// The running statement ended while its cancellation was still on its way.
    private var isFinished = false
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
        alarm = LoopAlarm(loop: loop)
        alarm.action = { [weak self] in self?.expired() }
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
        _ configuration: PostgreSQLClient.Configuration, resolver: NameResolver, applicationName: String
    ) async throws -> PostgreSQLConnection {
        let loop = resolver.loop
        loop.preconditionInLoop()
        let options =
            "-c statement_timeout=\(configuration.statementTimeoutMilliseconds)"
            + " -c lock_timeout=\(configuration.lockTimeoutMilliseconds)"
            + " -c idle_in_transaction_session_timeout=\(configuration.idleInTransactionTimeoutMilliseconds)"
            + " -c timezone=UTC"
        let address = try await ConnectionAddress(url: configuration.url).resolved(by: resolver)
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
            alarm.set(afterMilliseconds: UInt64(timeoutMilliseconds))
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
        alarm.clear()
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
        let parameters = try BoundParameters(sql.parameters)
        guard sql.isPrepared else {
            let result = try await perform(timeoutMilliseconds: timeoutMilliseconds) {
                parameters.send($0, text: sql.text)
            }
            guard let result else { throw PostgreSQLError.connection("the server sent no result") }
            return PostgreSQLResult(result)
        }
        do {
            return try await run(sql.text, parameters, timeoutMilliseconds: timeoutMilliseconds)
        } catch let error as PostgreSQLError where error.isStaleStatement {
            // A migration changed a table behind the plan. Nothing ran, so outside a transaction it may run again.
            prepared[sql.text] = nil
            guard let handle, PQtransactionStatus(handle) == PQTRANS_IDLE else { throw error }
            return try await run(sql.text, parameters, timeoutMilliseconds: timeoutMilliseconds)
        }
    }

    private func run(_ text: String, _ parameters: BoundParameters, timeoutMilliseconds: Int) async throws
        -> PostgreSQLResult
    {
        let name = try await prepare(text, timeoutMilliseconds: timeoutMilliseconds)
        let result = try await perform(timeoutMilliseconds: timeoutMilliseconds) { parameters.send($0, name) }
        guard let result else { throw PostgreSQLError.connection("the server sent no result") }
        return PostgreSQLResult(result)
    }

    /// Runs a script of several statements without parameters (simple protocol).
    func script(_ text: String, timeoutMilliseconds: Int, heedsDeadline: Bool = true) async throws {
        _ = try await perform(timeoutMilliseconds: timeoutMilliseconds, heedsDeadline: heedsDeadline) {
            PQsendQuery($0, text)
        }
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

    /// Sends a statement and waits for its end; cancels it when the task is cancelled or its time is up.
    /// - Parameter heedsDeadline: whether the request's deadline may end it sooner than its own time-out.
    private func perform(
        timeoutMilliseconds: Int, heedsDeadline: Bool = true, _ send: (OpaquePointer) -> Int32
    ) async throws -> ResultHandle? {
        loop.preconditionInLoop()
        try Task.checkCancellation()
        guard let handle else { throw PostgreSQLError.connection("the connection is closed") }
        precondition(running == nil, "a PostgreSQL connection runs one statement at a time")
        var limit = timeoutMilliseconds
        if heedsDeadline {
            guard let left = TelemetryContext.millisecondsLeft(atMost: limit) else {
                throw PostgreSQLError.deadlineExceeded
            }
            limit = left
        }
        let isBoundByDeadline = limit < timeoutMilliseconds
        guard send(handle) == 1 else {
            let error = failure()
            close()
            throw error
        }
        do {
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    running = continuation
                    isOverdue = false
                    alarm.set(afterMilliseconds: UInt64(limit))
                    flush()
                }
            } onCancel: {
                loop.execute { self.cancelRunning() }
            }
        } catch PostgreSQLError.server("57014", _, _) where Task.isCancelled || isBoundByDeadline {
            if Task.isCancelled { throw CancellationError() }
            throw PostgreSQLError.deadlineExceeded
        }
    }

    /// How long a server that was told to cancel may take to say so.
    private static let graceMilliseconds: UInt64 = 2_000

    /// The statement's time is up: the server is told; if it says nothing at all, the connection is given up.
    private func expired() {
        if connecting != nil { return endConnecting(.connection("no answer in time")) }
        guard running != nil else { return }
        if isOverdue { return breakDown(.connection("the server does not answer")) }
        isOverdue = true
        cancelRunning()
        alarm.set(afterMilliseconds: Self.graceMilliseconds)
    }

    private func cancelRunning() {
        guard running != nil, !isCancelling, let handle, let cancel = PQgetCancel(handle) else { return }
        // PQcancel opens a connection of its own and blocks on it.
        nonisolated(unsafe) let unsafeCancel = cancel
        isCancelling = Self.cancellers.submit { [self] in
            var message = [CChar](repeating: 0, count: 256)
            PQcancel(unsafeCancel, &message, Int32(message.count))
            PQfreeCancel(unsafeCancel)
            loop.execute { self.cancelDelivered() }
        }
        if !isCancelling { PQfreeCancel(cancel) }
    }

    private func cancelDelivered() {
        isCancelling = false
        if isFinished { complete() }
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
            if Self.isCopy(result) {
                // Its data would have to be read or written first: without that, PQgetResult says the same for ever.
                PQclear(result)
                return breakDown(.connection("COPY is not offered by this client"))
            }
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

    private static func isCopy(_ result: OpaquePointer) -> Bool {
        let status = PQresultStatus(result)
        return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
    }

    private func complete() {
        guard let running else { return }
        // A cancellation that is still under way would hit the next statement of this connection.
        guard !isCancelling else {
            isFinished = true
            return
        }
        isFinished = false
        self.running = nil
        alarm.clear()
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
        } else {
            running.resume(throwing: PostgreSQLError.refused(code: code, message: message, constraint: constraint))
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
        alarm.clear()
        isFinished = false
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
        alarm.close()
        guard let handle else { return }
        self.handle = nil
        PQfinish(handle)
    }
}
