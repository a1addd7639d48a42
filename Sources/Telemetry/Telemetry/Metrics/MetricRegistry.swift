/// The metrics of one service: declared instruments bound to storage, one series a label set.
///
/// Binding and label lookup take a lock and happen once; updates of a series are lock-free and allocation-free.
package final class MetricRegistry: Sendable {
    package init() {}

    /// Binds a declaration; binding the same one twice gives the same family.
    package func counter(_ counter: Counter) -> CounterFamily { fatalError("skeleton") }
    package func gauge(_ gauge: Gauge) -> GaugeFamily { fatalError("skeleton") }
    package func upDownCounter(_ counter: UpDownCounter) -> GaugeFamily { fatalError("skeleton") }
    package func histogram(_ histogram: Histogram) -> HistogramFamily { fatalError("skeleton") }

    /// A gauge without labels whose value is read at each scrape.
    package func observe(_ gauge: Gauge, _ read: @escaping @Sendable () -> Double) { fatalError("skeleton") }
}

package final class CounterFamily: Sendable {
    /// The series of these label values, in the order of the declaration. Look it up once and keep it.
    package func series(_ values: String...) -> CounterSeries { fatalError("skeleton") }
}

package final class CounterSeries: Sendable {
    @inline(__always) package func increment() { add(1) }
    /// - Parameter amount: zero or more; anything else is ignored and counted as misuse.
    package func add(_ amount: Double) { fatalError("skeleton") }
}

package final class GaugeFamily: Sendable {
    package func series(_ values: String...) -> GaugeSeries { fatalError("skeleton") }
}

package final class GaugeSeries: Sendable {
    package func set(_ value: Double) { fatalError("skeleton") }
    package func add(_ amount: Double) { fatalError("skeleton") }
}

package final class HistogramFamily: Sendable {
    package func series(_ values: String...) -> HistogramSeries { fatalError("skeleton") }
}

package final class HistogramSeries: Sendable {
    /// Records a value; the trace of `exemplar`, when sampled, is kept as the bucket's exemplar.
    package func record(_ value: Double, exemplar: SpanContext? = nil) { fatalError("skeleton") }
}
