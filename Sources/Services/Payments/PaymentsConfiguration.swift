internal import Configuration
internal import Values

/// Settings of payments.
struct PaymentsConfiguration: Sendable {
    /// `PAYMENTS_DECLINE_ABOVE`: the simulated provider's limit, an amount such as `10000.00`.
    let declineAbove: Money

    init(_ reader: ConfigurationReader) {
        let text = reader.string("PAYMENTS_DECLINE_ABOVE", default: "10000.00")
        if let amount = Money(text) {
            declineAbove = amount
        } else {
            reader.report("PAYMENTS_DECLINE_ABOVE is '\(text)': expected an amount such as 10000.00")
            declineAbove = .zero
        }
    }
}
