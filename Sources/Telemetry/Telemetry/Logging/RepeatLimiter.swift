internal import Synchronization

/// Lets a line through so often a second, and counts the repeats beyond.
///
/// Equal are lines of the same event, message and fields; trace and request may differ. The table is small and fixed:
/// a line that takes another's place only starts the count anew.
final class RepeatLimiter: Sendable {
    /// What was left out of one second.
    struct Report: Sendable {
        let event: LogEvent
        let message: String
        let suppressed: Int
    }

    private struct Window {
        var fingerprint: Int
        var endsAt: UInt64
        var passed: Int
        var suppressed: Int
        var event: LogEvent
        var message: String

        var report: Report? {
            suppressed > 0 ? Report(event: event, message: message, suppressed: suppressed) : nil
        }
    }

    private struct State {
        var windows: [Window?] = Array(repeating: nil, count: RepeatLimiter.slotCount)
        /// Of windows that lost their place.
        var displaced: [Report] = []
    }

    private static let slotCount = 256
    private static let maxDisplaced = 64
    private static let windowNanoseconds: UInt64 = 1_000_000_000
    /// Characters of the message that a report repeats.
    private static let maxMessageLength = 200

    private let state = Mutex(State())

    /// Whether a line is written.
    /// - Returns: also when there will be something to report, if there was not before.
    func admits(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, now: UInt64
    ) -> (isWritten: Bool, reportAt: UInt64?) {
        var hasher = Hasher()
        hasher.combine(event.name)
        hasher.combine(message)
        for index in 0..<fields.count { hasher.combine(fields[index]) }
        let fingerprint = hasher.finalize()
        let slot = fingerprint & (Self.slotCount - 1)
        return state.withLock { state in
            if var window = state.windows[slot], window.fingerprint == fingerprint, now < window.endsAt {
                let isWritten = window.passed < event.maxRepeatsPerSecond
                if isWritten { window.passed += 1 } else { window.suppressed += 1 }
                state.windows[slot] = window
                return (isWritten, window.suppressed == 1 ? window.endsAt : nil)
            }
            if let report = state.windows[slot]?.report, state.displaced.count < Self.maxDisplaced {
                state.displaced.append(report)
            }
            state.windows[slot] = Window(
                fingerprint: fingerprint, endsAt: now + Self.windowNanoseconds, passed: 1, suppressed: 0, event: event,
                message: String(message.prefix(Self.maxMessageLength)))
            return (true, nil)
        }
    }

    /// What was left out of windows that have ended.
    /// - Returns: also when the next one with something to report ends.
    func takeReports(_ now: UInt64) -> (reports: [Report], next: UInt64) {
        state.withLock { state in
            var reports = state.displaced
            var next = UInt64.max
            state.displaced = []
            for slot in state.windows.indices {
                guard let window = state.windows[slot], let report = window.report else { continue }
                if window.endsAt <= now {
                    reports.append(report)
                    state.windows[slot] = nil
                } else {
                    next = min(next, window.endsAt)
                }
            }
            return (reports, next)
        }
    }
}
