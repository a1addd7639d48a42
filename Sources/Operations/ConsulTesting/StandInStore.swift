internal import Synchronization
internal import Telemetry

/// What the stand-in knows: services with their health, keys with their values, and the indexes of each. Every change has
/// an index of its own, and wakes whoever waits for one.
final class StandInStore: Sendable {
    struct Service: Sendable {
        var id: String
        var name: String
        var address: String
        var port: Int
        var tags: [String]
        var meta: [String: String]
        var checks: [Check]
        var createIndex: UInt64
        var modifyIndex: UInt64
        /// Tells one registration from the next of the same id.
        var generation: UInt64

        /// The worst of all checks; without one it passes.
        var status: String {
            let found = Set(checks.map(\.status))
            return ["critical", "warning"].first(where: found.contains) ?? "passing"
        }
    }

    struct Check: Sendable {
        var url: String
        var intervalMilliseconds: Int
        var timeoutMilliseconds: Int
        var deregisterAfterMilliseconds: Int
        var status: String
        var output = ""
        /// Monotonic nanoseconds; nil unless critical.
        var criticalSince: UInt64?
    }

    struct Entry: Sendable {
        var value: [UInt8]
        var flags: UInt64
        var createIndex: UInt64
        var modifyIndex: UInt64
    }

    private struct State: Sendable {
        var index: UInt64 = 20
        var services: [String: Service] = [:]
        /// The index of each service's last change, also when nobody is left of it.
        var serviceIndexes: [String: UInt64] = [:]
        var entries: [String: Entry] = [:]
        /// The index at which a key was deleted.
        var graves: [String: UInt64] = [:]
        /// The index of the last change of any key.
        var entriesIndex: UInt64 = 1
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
        var version: UInt64 = 0

        mutating func advance() -> UInt64 {
            index += 1
            return index
        }
    }

    private let state = Mutex(State())

    /// Changes something, and wakes whoever waits.
    private func change<T: Sendable>(_ body: (inout State) -> T) -> T {
        let (result, waiting) = state.withLock { state in
            let result = body(&state)
            state.version += 1
            defer { state.waiters = [:] }
            return (result, Array(state.waiters.values))
        }
        for waiter in waiting { waiter.resume() }
        return result
    }

    // MARK: Waiting

    /// How many changes there were.
    var version: UInt64 { state.withLock { $0.version } }

    func wakeAll() { change { _ in } }

    /// Waits for the next change after `version`, or until the time is over.
    func waitForChange(after version: UInt64, milliseconds: Int) async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try? await Task.sleep(nanoseconds: UInt64(max(0, milliseconds)) * 1_000_000)
            wake(number)
        }
        await withCheckedContinuation { continuation in
            let isLate = state.withLock { state in
                guard state.version == version else { return true }
                state.waiters[number] = continuation
                return false
            }
            if isLate { continuation.resume() }
        }
        timer.cancel()
    }

    private func wake(_ number: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }

    // MARK: Services

    var serviceIDs: [String] { state.withLock { $0.services.keys.sorted() } }

    func status(of id: String) -> String? {
        state.withLock { $0.services[id]?.status }
    }

    func service(_ id: String) -> Service? { state.withLock { $0.services[id] } }
    var services: [Service] { state.withLock { $0.services.values.sorted { $0.id < $1.id } } }

    /// - Returns: the service as it is registered now.
    func register(_ service: Service) -> Service {
        change { state in
            var service = service
            let index = state.advance()
            let former = state.services[service.id]
            if let former, former.name != service.name { state.serviceIndexes[former.name] = index }
            service.createIndex = former?.createIndex ?? index
            service.modifyIndex = index
            service.generation = index
            state.services[service.id] = service
            state.serviceIndexes[service.name] = index
            return service
        }
    }

    /// - Returns: false when there is no such service.
    func deregister(_ id: String) -> Bool {
        change { state in
            guard let service = state.services.removeValue(forKey: id) else { return false }
            state.serviceIndexes[service.name] = state.advance()
            return true
        }
    }

    func forgetServices() {
        change { state in
            let index = state.advance()
            for service in state.services.values { state.serviceIndexes[service.name] = index }
            state.services = [:]
        }
    }

    /// Notes what a check found, if the service is still the one that was asked.
    /// - Returns: the service as it is now; nil when it is gone or another.
    func note(_ status: String, _ output: String, of service: Service, check index: Int) -> Service? {
        let now = TelemetryClock.system.monotonicNanoseconds()
        let known = state.withLock { $0.services[service.id] }
        guard let known, known.generation == service.generation else { return nil }
        if known.checks[index].status == status { return known }
        return change { state in
            guard var current = state.services[service.id], current.generation == service.generation else { return nil }
            current.checks[index].status = status
            current.checks[index].output = output
            current.checks[index].criticalSince = status == "critical" ? now : nil
            current.modifyIndex = state.advance()
            state.services[service.id] = current
            state.serviceIndexes[current.name] = current.modifyIndex
            return current
        }
    }

    /// The instances of a service and the index of what they are.
    func instances(of name: String, isPassing: Bool) -> (services: [Service], index: UInt64) {
        state.withLock { state in
            let found = state.services.values.filter { service in
                service.name == name && (!isPassing || service.status == "passing")
            }
            return (found.sorted { $0.id < $1.id }, state.serviceIndexes[name] ?? 1)
        }
    }

    // MARK: Keys and values

    /// A key and the index to wait from.
    func entry(_ key: String) -> (entry: Entry?, index: UInt64) {
        state.withLock { state in
            let entry = state.entries[key]
            return (entry, entry?.modifyIndex ?? state.entriesIndex)
        }
    }

    /// All below a prefix, and the highest index of what is there or was deleted there.
    func entries(below prefix: String) -> (entries: [(key: String, entry: Entry)], index: UInt64) {
        state.withLock { state in
            let found = state.entries.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
            guard !prefix.isEmpty else { return (found.map { ($0.key, $0.value) }, state.entriesIndex) }
            let newest = found.map(\.value.modifyIndex).max() ?? 0
            let deleted = state.graves.filter { $0.key.hasPrefix(prefix) }.map(\.value).max() ?? 0
            let index = max(newest, deleted)
            return (found.map { ($0.key, $0.value) }, index == 0 ? state.entriesIndex : index)
        }
    }

    /// - Parameter cas: the index that the key must have; 0: it must not exist.
    func put(_ key: String, _ value: [UInt8], flags: UInt64, cas: UInt64?) -> Bool {
        change { state in
            let former = state.entries[key]
            if let cas, cas != former?.modifyIndex ?? 0 { return false }
            // The same again changes nothing.
            if let former, former.value == value, former.flags == flags { return true }
            let index = state.advance()
            state.entries[key] = Entry(
                value: value, flags: flags, createIndex: former?.createIndex ?? index, modifyIndex: index)
            state.graves[key] = nil
            state.entriesIndex = index
            return true
        }
    }

    /// - Parameter cas: the index that the key must have; 0 deletes nothing.
    func delete(_ key: String, cas: UInt64?) -> Bool {
        change { state in
            guard let former = state.entries[key] else { return cas != 0 }
            if let cas, cas != former.modifyIndex { return false }
            Self.bury([key], in: &state)
            return true
        }
    }

    func deleteAll(below prefix: String) {
        change { state in Self.bury(state.entries.keys.filter { $0.hasPrefix(prefix) }, in: &state) }
    }

    private static func bury(_ keys: [String], in state: inout State) {
        guard !keys.isEmpty else { return }
        let index = state.advance()
        for key in keys {
            state.entries[key] = nil
            state.graves[key] = index
        }
        state.entriesIndex = index
    }

    // MARK: Faults

    func resetIndexes() {
        change { state in
            state.index = 5
            state.entriesIndex = 5
            state.graves = [:]
            for name in state.serviceIndexes.keys { state.serviceIndexes[name] = 5 }
            for id in state.services.keys { state.services[id]?.modifyIndex = 5 }
            for key in state.entries.keys { state.entries[key]?.modifyIndex = 5 }
        }
    }
}
