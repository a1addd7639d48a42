internal import Synchronization
internal import Telemetry

/// Holds a service's data against the invariants while it runs: the newest rows at each look, and beside them a walk
/// through all others, so that what is broken anywhere is found and the cost of a look does not grow with the table.
final class InvariantWatch: Sendable {
    static let jobName = "invariants"
    /// Of one check and look; the counter tells of all.
    private static let maxLines = 10

    private let checks: [InvariantCheck]
    private let telemetry: InvariantTelemetry
    /// Where the walk of each check has come to.
    private let positions: Mutex<[Int64]>

    init(_ checks: [InvariantCheck], _ telemetry: Telemetry) {
        self.checks = checks
        self.telemetry = InvariantTelemetry(telemetry, checks.map(\.invariant))
        positions = Mutex(Array(repeating: 0, count: checks.count))
    }

    /// One look at every check; one that fails does not keep the others from theirs.
    /// - Throws: the first failure.
    func look() async throws {
        var failure: (any Error)?
        for index in checks.indices {
            do { try await look(index) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func look(_ index: Int) async throws {
        let check = checks[index]
        let newest = try await check.read(-Int64(check.rows), check.rows)
        let position = positions.withLock { $0[index] }
        let walked = try await check.read(position, check.rows)
        // A short page was the last one: the walk begins again.
        positions.withLock { $0[index] = walked.count < check.rows ? 0 : walked.last?.lsn ?? 0 }
        let known = Set(newest.map(\.lsn))
        telemetry.note(check, newest + walked.filter { !known.contains($0.lsn) }, maxLines: Self.maxLines)
    }
}
