package import Synchronization

/// A gauge or an up-down counter bound to a registry: one series for each set of label values.
package final class GaugeFamily: Sendable {
    package let declaration: MetricDeclaration
    private let table: SeriesTable<GaugeSeries>

    init(_ declaration: MetricDeclaration, problems: MetricProblems) {
        self.declaration = declaration
        table = SeriesTable(declaration, problems: problems, make: GaugeSeries.init(labelText:))
    }

    /// The series of these label values, in the order of the declaration. Look it up once and keep it.
    package func series(_ values: String...) -> GaugeSeries { table.series(values) }
    /// The series of these label values, in the order of the declaration.
    package func series(_ values: [String]) -> GaugeSeries { table.series(values) }

    /// Every series, ordered by label values.
    package var allSeries: [GaugeSeries] { table.ordered() }
}

/// One series of a gauge: a single atomic, because the last value set wins whoever sets it.
package final class GaugeSeries: Sendable {
    /// `name="value",…` escaped for the exposition formats; empty without labels.
    package let labelText: [UInt8]
    /// The value, as the bits of a `Double`.
    package let bits = Atomic<UInt64>(0)

    init(labelText: [UInt8]) { self.labelText = labelText }

    /// Sets the value.
    @inlinable @inline(__always)
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// - Parameter amount: negative to take away.
    @inlinable
    package func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: sum, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// The value now.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}
