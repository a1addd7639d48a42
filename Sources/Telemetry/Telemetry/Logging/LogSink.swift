/// Where encoded log lines go: the writer of the process, or memory in a test.
package protocol LogSink: AnyObject, Sendable {
    /// Takes one line, its line feed included. The bytes are valid during the call only. Never blocks: a full sink
    /// drops the line and counts it.
    func write(_ line: UnsafeRawBufferPointer)
}

/// Where log records go that are encoded otherwise than as a line: the OTLP exporter.
package protocol LogRecordSink: AnyObject, Sendable {
    /// Takes one record, which passed level, limits and redaction as its line did. The fields are valid during the call
    /// only; values under a sensitive key (`AttributeKey.isSensitive`) are the sink's to hide. Never blocks.
    func record(_ record: LogRecord, _ fields: borrowing Swift.Span<Attribute>)
}

/// A log line before it is text.
package struct LogRecord: Sendable {
    package let event: LogEvent
    package let message: String
    /// The `log.logger`.
    package let logger: String
    /// The span that the line belongs to, and the request id.
    package let context: TelemetryContext
    /// Since 1970 UTC.
    package let wallNanoseconds: UInt64
}
