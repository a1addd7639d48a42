package import Synchronization

/// Where encoded log lines go: the writer of the process, or memory in a test.
package protocol LogSink: AnyObject, Sendable {
    /// Takes one line, its line feed included. The bytes are valid during the call only. Never blocks: a full sink
    /// drops the line and counts it.
    func write(_ line: UnsafeRawBufferPointer)
}

/// The lowest level that is written, changeable while the service runs.
package final class LogLevelControl: Sendable {
    @usableFromInline let threshold: Atomic<Int>

    package init(_ level: LogLevel = .info) { threshold = Atomic(level.rawValue) }

    /// The level; a change counts from the next line on.
    package var level: LogLevel {
        get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    @inlinable @inline(__always)
    func allows(_ level: LogLevel) -> Bool { level.rawValue >= threshold.load(ordering: .relaxed) }
}
