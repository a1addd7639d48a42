internal import Synchronization

/// Loads that run at the moment: who wants the same value meanwhile waits for it instead of loading it again.
final class SingleFlight<Value: Sendable>: Sendable {
    private struct Flight: Sendable {
        var waiters: [UInt64: CheckedContinuation<Result<Value, any Error>?, Never>] = [:]
        var cancelled: Set<UInt64> = []
    }

    private struct State: Sendable {
        var flights: [String: Flight] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The result of the load that runs under this name.
    /// - Returns: nil when there is none: the caller loads, and calls `land`.
    /// - Throws: the load's error, or `CancellationError` when the waiting task is cancelled.
    func join(_ name: String) async throws -> Value? {
        let waiter: UInt64? = state.withLock { state in
            guard state.flights[name] != nil else {
                state.flights[name] = Flight()
                return nil
            }
            state.nextWaiter += 1
            return state.nextWaiter
        }
        guard let waiter else { return nil }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Landed or cancelled between the two looks: there is nothing to wait for.
                    guard state.flights[name]?.cancelled.remove(waiter) == nil, state.flights[name] != nil else {
                        return true
                    }
                    state.flights[name]?.waiters[waiter] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                guard let waiting = state.flights[name]?.waiters.removeValue(forKey: waiter) else {
                    state.flights[name]?.cancelled.insert(waiter)
                    return nil as CheckedContinuation<Result<Value, any Error>?, Never>?
                }
                return waiting
            }
            continuation?.resume(returning: nil)
        }
        try Task.checkCancellation()
        guard let result else { return try await join(name) }
        return try result.get()
    }

    /// Ends the load under this name and tells everybody who waits. A cancelled load says nothing of the value: those who
    /// wait try again, one of them first.
    func land(_ name: String, _ result: Result<Value, any Error>) {
        let flight = state.withLock { $0.flights.removeValue(forKey: name) }
        var told: Result<Value, any Error>? = result
        if case .failure(let error) = result, error is CancellationError { told = nil }
        for waiter in flight?.waiters.values ?? [:].values { waiter.resume(returning: told) }
    }
}
