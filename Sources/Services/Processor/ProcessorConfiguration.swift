internal import Configuration

/// Settings of the processor.
struct ProcessorConfiguration: Sendable {
    /// `PROCESSOR_SAGA_TIMEOUT_MILLISECONDS`: after which an undecided order fails. 100 to 3,600,000; 60,000.
    let sagaTimeoutMilliseconds: Int

    init(_ reader: ConfigurationReader) {
        sagaTimeoutMilliseconds = reader.int(
            "PROCESSOR_SAGA_TIMEOUT_MILLISECONDS", default: 60_000, in: 100...3_600_000)
    }
}
