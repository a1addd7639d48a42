internal import Synchronization

/// The series of one metric by their label values, bounded: whatever comes past the bound shares one overflow series.
///
/// Finding a series that is there takes no lock and allocates nothing: an open-addressing table of pointers to entries
/// that never change and live as long as the index. Adding one takes a lock; a table that is half full is replaced by
/// one of twice the size, and kept for readers that still look at it.
///
/// Safety (`@unchecked Sendable`): `newest` is atomic, and what it points to is `Sendable`; the rest is checked.
final class SeriesIndex: @unchecked Sendable {
    typealias Series = AnyObject & Sendable

    private final class Entry: Sendable {
        let hash: UInt64
        let values: [String]
        let series: any Series

        init(hash: UInt64, values: [String], series: any Series) {
            self.hash = hash
            self.values = values
            self.series = series
        }

        /// Label values that are the same text as bytes have the same hash; those that are only the same to Unicode
        /// have not.
        @inline(__always)
        func has(_ values: LabelValues) -> Bool {
            for index in values.indices where values[index] != self.values[index] { return false }
            return true
        }
    }

    /// Slots that hold the address of an entry, or nil; their number is a power of two and they are never all taken.
    ///
    /// Safety (`@unchecked Sendable`): the slots are made once; each is atomic.
    private final class Table: @unchecked Sendable {
        let slots: UnsafeMutablePointer<Atomic<UnsafeMutableRawPointer?>>
        let mask: Int

        init(slotCount: Int) {
            mask = slotCount - 1
            slots = .allocate(capacity: slotCount)
            for index in 0..<slotCount { (slots + index).initialize(to: Atomic(nil)) }
        }

        deinit {
            slots.deinitialize(count: mask + 1)
            slots.deallocate()
        }

        /// Call under the lock, or before the table is published. Whoever owns the table keeps the entry alive.
        func insert(_ entry: Entry) {
            var index = Int(truncatingIfNeeded: entry.hash) & mask
            while slots[index].load(ordering: .relaxed) != nil { index = (index + 1) & mask }
            slots[index].store(Unmanaged.passUnretained(entry).toOpaque(), ordering: .releasing)
        }
    }

    private struct State {
        var tables: [Table]
        var entries: [Entry] = []
        /// Sorted by label values; nil after a series was added.
        var ordered: [any Series]?
    }

    private static let firstSlotCount = 8

    private let declaration: MetricDeclaration
    private let problems: MetricProblems
    private let make: @Sendable (_ labelText: [UInt8]) -> any Series
    private let labelCount: Int
    /// The only series of a metric without labels.
    private let single: (any Series)?
    private let state: Mutex<State>
    /// The newest table; `State.tables` keeps it alive.
    private let newest: Atomic<UnsafeMutableRawPointer>
    private let overflow = AtomicLazyReference<Entry>()
    private let isFull = Atomic<Bool>(false)
    private let isOverflowTold = Atomic<Bool>(false)

    init(
        _ declaration: MetricDeclaration, problems: MetricProblems,
        make: @escaping @Sendable (_ labelText: [UInt8]) -> any Series
    ) {
        self.declaration = declaration
        self.problems = problems
        self.make = make
        labelCount = declaration.labels.count
        // Without labels there is nothing to wait for: the series is there, at zero, from the first scrape.
        single = declaration.labels.isEmpty ? make([]) : nil
        let table = Table(slotCount: Self.firstSlotCount)
        state = Mutex(State(tables: [table]))
        newest = Atomic(Unmanaged.passUnretained(table).toOpaque())
        for values in declaration.initial { _ = find(values) }
    }

    // MARK: Finding

    /// The series of this label value, made when it is not there yet.
    func find(_ first: String) -> any Series {
        let values: [1 of String] = [first]
        return find(values.span)
    }

    /// The series of these label values, made when it is not there yet.
    func find(_ first: String, _ second: String) -> any Series {
        let values: [2 of String] = [first, second]
        return find(values.span)
    }

    /// The series of these label values, made when it is not there yet.
    func find(_ first: String, _ second: String, _ third: String) -> any Series {
        let values: [3 of String] = [first, second, third]
        return find(values.span)
    }

    /// The series of these label values, made when it is not there yet.
    func find(_ first: String, _ second: String, _ third: String, _ fourth: String) -> any Series {
        let values: [4 of String] = [first, second, third, fourth]
        return find(values.span)
    }

    /// The series of these label values, made when it is not there yet.
    func find(_ values: [String]) -> any Series { find(values.span) }

    @inline(__always)
    private func find(_ values: LabelValues) -> any Series {
        guard values.count == labelCount else { return wrongCount() }
        if let single { return single }
        // First of all: nobody makes us read a megabyte.
        for index in values.indices where values[index].utf8.count > LabelText.maxValueBytes {
            return find(LabelText.shortened(values))
        }
        let hash = LabelKey.hash(values)
        return lookUp(values, hash) ?? add(values, hash)
    }

    @inline(__always)
    private func lookUp(_ values: LabelValues, _ hash: UInt64) -> (any Series)? {
        // Safety: tables and entries live as long as the index.
        Unmanaged<Table>.fromOpaque(newest.load(ordering: .acquiring))._withUnsafeGuaranteedRef { table in
            var index = Int(truncatingIfNeeded: hash) & table.mask
            while let address = table.slots[index].load(ordering: .acquiring) {
                let series: (any Series)? = Unmanaged<Entry>.fromOpaque(address)._withUnsafeGuaranteedRef { entry in
                    entry.hash == hash && entry.has(values) ? entry.series : nil
                }
                if let series { return series }
                index = (index + 1) & table.mask
            }
            return nil
        }
    }

    // MARK: Adding

    @inline(never)
    private func add(_ values: LabelValues, _ hash: UInt64) -> any Series {
        if isFull.load(ordering: .relaxed) { return overflowed() }
        let text = LabelText.encode(names: declaration.labels, values: values)
        let values = values.indices.map { values[$0] }
        let series: (any Series)? = state.withLock { state in
            // Another thread may have been first.
            if let known = lookUp(values.span, hash) { return known }
            guard state.entries.count < MetricRegistry.maxSeriesPerMetric else { return nil }
            let entry = Entry(hash: hash, values: values, series: make(text))
            state.entries.append(entry)
            state.ordered = nil
            publish(entry, &state)
            return entry.series
        }
        if let series { return series }
        isFull.store(true, ordering: .relaxed)
        return overflowed()
    }

    private func publish(_ entry: Entry, _ state: inout State) {
        // At most half of the slots are taken: runs stay short, and a search always ends.
        if let table = state.tables.last, state.entries.count * 2 <= table.mask + 1 { return table.insert(entry) }
        let larger = Table(slotCount: max(Self.firstSlotCount, state.entries.count * 2).nextPowerOfTwo)
        for entry in state.entries { larger.insert(entry) }
        state.tables.append(larger)
        newest.store(Unmanaged.passUnretained(larger).toOpaque(), ordering: .releasing)
    }

    @inline(never)
    private func wrongCount() -> any Series {
        problems.report(.labelCount, metric: declaration.name)
        return overflowSeries
    }

    private func overflowed() -> any Series {
        problems.add(.overflow)
        if !isOverflowTold.exchange(true, ordering: .relaxed) { problems.tell(.overflow, metric: declaration.name) }
        return overflowSeries
    }

    private var overflowSeries: any Series {
        if let entry = overflow.load() { return entry.series }
        let text = LabelText.encode(names: ["otel_metric_overflow"], values: ["true"].span)
        return overflow.storeIfNil(Entry(hash: 0, values: [], series: make(text))).series
    }

    // MARK: Reading

    /// Every series, ordered by label values; the overflow series last.
    var ordered: [any Series] {
        if let single { return [single] }
        var result = state.withLock { state in
            if let ordered = state.ordered { return ordered }
            let ordered = state.entries.sorted { LabelKey.precedes($0.values, $1.values) }.map(\.series)
            state.ordered = ordered
            return ordered
        }
        if let entry = overflow.load() { result.append(entry.series) }
        return result
    }
}

extension Int {
    /// The smallest power of two that is not below.
    fileprivate var nextPowerOfTwo: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
