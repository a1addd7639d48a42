/// Writes structured log lines for one service; the current trace and request id are added by itself.
package struct Logger: Sendable {
    /// What the loggers of this name share.
    package let core: LoggerCore

    init(core: LoggerCore) { self.core = core }

    /// Writes one line. The message is for people, and holds no secret and no personal data.
    /// - Parameter fields: dotted ECS names, or `labels.…`.
    ///   Neither they nor the message are made when the level is off.
    @inlinable @inline(__always)
    package func log(
        _ event: LogEvent, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [Attribute] = []
    ) {
        guard core.isEnabled(event.level) else { return }
        // A literal of fields lives on the caller's stack: nothing keeps what the span shows.
        let fields = fields()
        core.write(event, message(), fields.span)
    }

    /// The same logger under another `log.logger` name.
    package func named(_ name: String) -> Logger { Logger(core: core.named(name)) }

    /// The levels of the service's loggers.
    package var level: LogLevelControl { core.shared.levels }

    /// Tells of the repeats that were left out until now; call it before the log ends.
    package func reportRepeats() { core.reportRepeats() }
}
