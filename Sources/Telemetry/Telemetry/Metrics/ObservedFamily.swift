internal import Synchronization

/// A metric whose values are read at each scrape: process facts, queue lengths, anything that is kept elsewhere.
package final class ObservedFamily: Sendable {
    private struct Entry {
        let values: [String]
        let labelText: [UInt8]
        let read: @Sendable () -> Double
    }

    package let declaration: MetricDeclaration
    private let problems: MetricProblems
    private let entries = Mutex<[Entry]>([])

    init(_ declaration: MetricDeclaration, problems: MetricProblems) {
        self.declaration = declaration
        self.problems = problems
    }

    /// Adds a series, or replaces how it is read.
    func add(_ values: [String], _ read: @escaping @Sendable () -> Double) {
        let values = values.map(LabelText.shortened)
        let entry = Entry(
            values: values, labelText: LabelText.encode(names: declaration.labels, values: values.span), read: read)
        let isAdded = entries.withLock { entries in
            let place = Self.place(of: values, in: entries)
            if place < entries.count, !LabelKey.precedes(values, entries[place].values) {
                entries[place] = entry
                return true
            }
            guard entries.count < MetricRegistry.maxSeriesPerMetric else { return false }
            entries.insert(entry, at: place)
            return true
        }
        if !isAdded { problems.report(.overflow, metric: declaration.name) }
    }

    /// Where the values stand, or would stand, among the entries, which are in their order.
    private static func place(of values: [String], in entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if LabelKey.precedes(entries[middle].values, values) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Reads every series now, ordered by label values. The callbacks run outside the lock; what a counter cannot be is
    /// left out and counted as misuse.
    package func read() -> [(labelText: [UInt8], value: Double)] {
        entries.withLock { $0 }.compactMap { entry in
            let value = entry.read()
            guard declaration.kind != .counter || (value >= 0 && value < .infinity) else {
                problems.report(.invalidValue, metric: declaration.name)
                return nil
            }
            return (entry.labelText, value)
        }
    }
}
