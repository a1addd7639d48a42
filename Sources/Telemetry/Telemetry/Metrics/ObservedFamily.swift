internal import Synchronization

/// A metric whose values are read at each scrape: process facts, queue lengths, anything that is kept elsewhere.
package final class ObservedFamily: Sendable {
    private struct Entry {
        let values: [String]
        let labelText: [UInt8]
        let read: @Sendable () -> Double
    }

    package let declaration: MetricDeclaration
    private let entries = Mutex<[Entry]>([])

    init(_ declaration: MetricDeclaration) { self.declaration = declaration }

    /// Adds a series, or replaces how it is read.
    func add(_ values: [String], _ read: @escaping @Sendable () -> Double) {
        let entry = Entry(
            values: values, labelText: LabelText.encode(names: declaration.labels, values: values), read: read)
        entries.withLock { entries in
            entries.removeAll { $0.values == values }
            guard entries.count < MetricRegistry.maxSeriesPerMetric else { return }
            entries.append(entry)
            entries.sort { $0.values.lexicographicallyPrecedes($1.values) }
        }
    }

    /// Reads every series now, ordered by label values. The callbacks run outside the lock.
    package func read() -> [(labelText: [UInt8], value: Double)] {
        entries.withLock { $0 }.map { ($0.labelText, $0.read()) }
    }
}
