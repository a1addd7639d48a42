internal import EventLoop
package import Telemetry

/// An answer that comes later, on the loop where it was promised, from a callback instead of a task.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
package final class HTTPPromise: @unchecked Sendable {
    package typealias Outcome = Result<HTTPResponse, any Error>

    private enum State {
        case open
        case resolved(Outcome)
        /// Given to the connection, or to nobody.
        case done
    }

    private var state = State.open
    private var shape: ((HTTPPromise, Outcome) -> HTTPResponse)?
    private var receiver: ((Outcome) -> Void)?
    /// Whether nobody waits for the answer any more.
    package private(set) var isCancelled = false
    /// Called once when that happens, unless the answer is there.
    package var onCancel: (() -> Void)?

    package init() {}

    // MARK: Who promised

    /// Gives the answer; what comes after the first is dropped. Loop thread only.
    package func resolve(_ outcome: Outcome) {
        guard case .open = state else { return }
        onCancel = nil
        guard let receiver else {
            state = .resolved(outcome)
            return
        }
        deliver(outcome, receiver)
    }

    /// Gives what a task on the current loop finds out; it is cancelled when nobody waits any more. Loop thread only.
    package func resolve(in context: TelemetryContext, by work: @escaping HTTPWork) {
        guard let loop = EventLoop.current else { preconditionFailure("promises are kept on an event loop") }
        let task = loop.spawn { [self] in
            await TelemetryContext.$current.withValue(context) {
                do {
                    resolve(.success(try await work()))
                } catch {
                    resolve(.failure(error))
                }
            }
        }
        guard case .open = state else { return }
        onCancel = { task.cancel() }
        if isCancelled { task.cancel() }
    }

    // MARK: Who waits

    /// What is made of the outcome before the connection gets it.
    package func shaped(by shape: @escaping (HTTPPromise, Outcome) -> HTTPResponse) { self.shape = shape }

    /// Hands the answer to `receiver`: now, or when it is there.
    func deliver(to receiver: @escaping (HTTPResponse) -> Void) {
        wait { [self] outcome in
            let shape = self.shape
            self.shape = nil
            if let shape { return receiver(shape(self, outcome)) }
            switch outcome {
            case .success(let response): receiver(response)
            case .failure(let error): receiver(HTTPResponse(transportError: error) ?? .unexpectedError)
            }
        }
    }

    /// The answer, for a task on the loop that waits for it instead of the connection.
    package func value() async throws -> HTTPResponse {
        guard let loop = EventLoop.current else { preconditionFailure("promises are kept on an event loop") }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait { continuation.resume(with: $0) }
            }
        } onCancel: {
            loop.perform { [self] in cancel() }
        }
    }

    private func wait(_ receiver: @escaping (Outcome) -> Void) {
        switch state {
        case .open: self.receiver = receiver
        case .resolved(let outcome): deliver(outcome, receiver)
        case .done: break
        }
    }

    /// Nobody waits any longer.
    func cancel() {
        guard case .open = state, !isCancelled else { return }
        isCancelled = true
        let action = onCancel
        onCancel = nil
        action?()
    }

    private func deliver(_ outcome: Outcome, _ receiver: (Outcome) -> Void) {
        state = .done
        self.receiver = nil
        receiver(outcome)
    }
}
