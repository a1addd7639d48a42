package import Synchronization

/// The lowest level that is written, for all loggers of a service and for some of them, changeable while it runs.
///
/// A change for one name counts for the names below it (`processor` for `processor.saga`), and ends by itself: nobody
/// remembers to turn debugging off again.
package final class LogLevelControl: Sendable {
    /// A level that differs from the service's for a while.
    package struct Override: Sendable, Equatable {
        /// The `log.logger`, or `rootName` for all.
        package let logger: String
        package let level: LogLevel
        /// Monotonic nanoseconds.
        package let expiresAt: UInt64
    }

    /// Stands for all loggers.
    package static let rootName = "root"
    /// Overrides at once.
    package static let maxOverrides = 64
    /// Logger names with a threshold of their own; later ones follow the service's level.
    private static let maxNames = 1_000

    private struct State {
        var level: LogLevel
        var overrides: [String: Override] = [:]
        var thresholds: [String: LogThreshold] = [:]
        var keepsDetails = false
    }

    private let state: Mutex<State>
    private let root = LogThreshold()

    package init(_ level: LogLevel = .info) {
        state = Mutex(State(level: level))
        root.set(level, keepsDetails: false)
    }

    /// The level of the service; a change counts from the next line on.
    package var level: LogLevel {
        get { state.withLock { $0.level } }
        set {
            state.withLock { state in
                state.level = newValue
                apply(state)
            }
        }
    }

    /// The overrides, ordered by name.
    package var overrides: [Override] { state.withLock { $0.overrides.values.sorted { $0.logger < $1.logger } } }

    /// The names of the loggers that exist, ordered.
    package var loggers: [String] { state.withLock { $0.thresholds.keys.sorted() } }

    /// What counts for a logger now.
    package func level(of logger: String) -> LogLevel { state.withLock { Self.level(of: logger, $0) } }

    /// Sets the level of a logger and of those below it.
    /// - Returns: false when there are too many overrides.
    package func set(_ override: Override) -> Bool {
        state.withLock { state in
            guard state.overrides[override.logger] != nil || state.overrides.count < Self.maxOverrides else {
                return false
            }
            state.overrides[override.logger] = override
            apply(state)
            return true
        }
    }

    /// Ends an override.
    /// - Returns: false when there was none.
    package func removeOverride(_ logger: String) -> Bool {
        state.withLock { state in
            guard state.overrides.removeValue(forKey: logger) != nil else { return false }
            apply(state)
            return true
        }
    }

    /// Ends what has expired.
    /// - Parameter now: monotonic nanoseconds.
    /// - Returns: what ended, and when the next one will.
    func expire(_ now: UInt64) -> (ended: [Override], next: UInt64) {
        state.withLock { state in
            let ended = state.overrides.values.filter { $0.expiresAt <= now }
            for override in ended { state.overrides[override.logger] = nil }
            if !ended.isEmpty { apply(state) }
            return (ended, state.overrides.values.map(\.expiresAt).min() ?? .max)
        }
    }

    /// Lets lines below the level through to where details are kept.
    func keepDetails() {
        state.withLock { state in
            state.keepsDetails = true
            apply(state)
        }
    }

    /// The threshold of a logger; it changes with the settings.
    func threshold(of logger: String) -> LogThreshold {
        state.withLock { state in
            if let known = state.thresholds[logger] { return known }
            guard state.thresholds.count < Self.maxNames else { return root }
            let threshold = LogThreshold()
            threshold.set(Self.level(of: logger, state), keepsDetails: state.keepsDetails)
            state.thresholds[logger] = threshold
            return threshold
        }
    }

    private func apply(_ state: State) {
        root.set(Self.level(of: Self.rootName, state), keepsDetails: state.keepsDetails)
        for (name, threshold) in state.thresholds {
            threshold.set(Self.level(of: name, state), keepsDetails: state.keepsDetails)
        }
    }

    /// The longest name that has an override counts.
    private static func level(of logger: String, _ state: State) -> LogLevel {
        if state.overrides.isEmpty { return state.level }
        var name = logger[...]
        while true {
            if let override = state.overrides[String(name)] { return override.level }
            guard let dot = name.lastIndex(of: ".") else { break }
            name = name[..<dot]
        }
        return state.overrides[rootName]?.level ?? state.level
    }
}

/// From which level on the lines of a logger count.
package final class LogThreshold: Sendable {
    /// From this one on they are made.
    @usableFromInline let made = Atomic<Int>(LogLevel.info.rawValue)
    /// From this one on they are written; those between are details.
    private let written = Atomic<Int>(LogLevel.info.rawValue)

    func set(_ level: LogLevel, keepsDetails: Bool) {
        written.store(level.rawValue, ordering: .relaxed)
        made.store(keepsDetails ? LogLevel.debug.rawValue : level.rawValue, ordering: .relaxed)
    }

    /// Nothing is made, because nobody takes it.
    static func silent() -> LogThreshold {
        let threshold = LogThreshold()
        threshold.made.store(.max, ordering: .relaxed)
        return threshold
    }

    @inlinable @inline(__always)
    package func makes(_ level: LogLevel) -> Bool { level.rawValue >= made.load(ordering: .relaxed) }

    @inline(__always)
    func writes(_ level: LogLevel) -> Bool { level.rawValue >= written.load(ordering: .relaxed) }
}
