/// The forms that the histograms of a registry have beside their explicit buckets, which are always there: thresholds,
/// rules and panels refer to them.
package struct HistogramForms: Hashable, Sendable {
    /// How `/metrics` offers native histograms to a scraper that prefers protobuf.
    package enum Native: String, CaseIterable, Sendable {
        /// It has no protobuf at all.
        case off
        /// A histogram is one family with both forms, as the format means it; the scraper chooses. Prometheus then keeps
        /// the native form only, unless it has `scrape_classic_histograms` (2.45) and is told so.
        case together
        /// Two families of one name, one of each form: every Prometheus that takes native histograms keeps both.
        case apart
    }

    /// On `/metrics`.
    package var native: Native
    /// OTLP gets the exponential form instead of explicit buckets.
    package var isExponentialExported: Bool

    package init(native: Native = .off, isExponentialExported: Bool = false) {
        self.native = native
        self.isExponentialExported = isExponentialExported
    }

    /// Somebody wants the exponential form: only then it is kept.
    package var areExponential: Bool { native != .off || isExponentialExported }
}
