internal import Synchronization

/// Lets a line through so often a second, and counts the repeats beyond.
///
/// Equal are lines of the same event, message and fields; trace and request may differ. The table is small and fixed:
/// when more kinds repeat at once than one
/// part of it holds, the quietest of them starts its count anew.
package final class RepeatLimiter: Sendable {
    /// What was left out of one second.
    package struct Report: Sendable {
        package let event: LogEvent
        package let message: String
        package let suppressed: Int
    }

    private struct Window {
        let fingerprint: Int
        let endsAt: UInt64
        var passed: Int
        var suppressed: Int
        let event: LogEvent
        let message: String

        var report: Report? {
            suppressed > 0 ? Report(event: event, message: message, suppressed: suppressed) : nil
        }
    }

    private struct State {
        var windows: [Window?] = Array(repeating: nil, count: RepeatLimiter.slotCount)
        /// Of windows that lost their place.
        var displaced: [Report] = []
    }

    /// Windows that a line may have; it takes that of another one only when all of them are under way.
    private static let ways = 4
    private static let slotCount = 64 * ways
    private static let maxDisplaced = 64
    private static let windowNanoseconds: UInt64 = 1_000_000_000
    /// Characters of the message that a report repeats.
    private static let maxMessageLength = 200

    private let state = Mutex(State())

    package init() {}

    /// Whether a line is written.
    /// - Returns: also when there will be something to report, if there was not before.
    func admits(
        _ event: LogEvent, _ message: String, _ fields: borrowing Swift.Span<Attribute>, now: UInt64
    ) -> (isWritten: Bool, reportAt: UInt64?) {
        var hasher = Hasher()
        hasher.combine(event.name)
        hasher.combine(message)
        for index in 0..<fields.count { hasher.combine(fields[index]) }
        return admits(hasher.finalize(), event, message, now: now)
    }

    /// The same for a line whose fingerprint is known: equal lines have equal ones.
    package func admits(
        _ fingerprint: Int, _ event: LogEvent, _ message: String, now: UInt64
    ) -> (isWritten: Bool, reportAt: UInt64?) {
        let first = fingerprint & (Self.slotCount / Self.ways - 1) * Self.ways
        return state.withLock { state in
            let slot = Self.slot(of: fingerprint, in: state.windows[first..<(first + Self.ways)], now)
            if let window = state.windows[slot], window.fingerprint == fingerprint, now < window.endsAt {
                let isWritten = window.passed < event.maxRepeatsPerSecond
                if isWritten {
                    state.windows[slot]?.passed += 1
                } else {
                    state.windows[slot]?.suppressed += 1
                }
                return (isWritten, !isWritten && window.suppressed == 0 ? window.endsAt : nil)
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

    /// The slot that a line has, or gets: an empty one, that of a window that has ended, or the quietest one's.
    private static func slot(of fingerprint: Int, in windows: ArraySlice<Window?>, _ now: UInt64) -> Int {
        var best = windows.startIndex
        var leastNoise = Int.max
        for slot in windows.indices {
            let noise: Int
            if let window = windows[slot] {
                if window.fingerprint == fingerprint { return slot }
                noise = window.endsAt <= now ? 0 : window.passed + window.suppressed
            } else {
                noise = -1
            }
            if noise < leastNoise { (best, leastNoise) = (slot, noise) }
        }
        return best
    }

    /// What was left out of windows that have ended.
    /// - Returns: also when the next one with something to report ends.
    package func takeReports(_ now: UInt64) -> (reports: [Report], next: UInt64) {
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
