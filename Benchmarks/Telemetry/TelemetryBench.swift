import Glibc

/// Measures single operations of the telemetry core; `Benchmarks/run --cases telemetry` holds them against Go programs
/// that do the same (`peers/go/telemetry`).
///
///     telemetry-bench counter --milliseconds 500      prints nanoseconds of CPU time an operation
///
/// To add a row: a `Row` in one of the `…Rows.swift` files (and in `Row.all`), the same name in a `.go` file of
/// `peers/go/telemetry`, and its bound in `ROWS` of `harness/telemetry.py`.
@main
enum TelemetryBench {
    private static let maxMilliseconds = 60_000

    static func main() {
        var arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.popFirst(), let row = Row.all.first(where: { $0.name == name }),
            arguments.popFirst() == "--milliseconds", let milliseconds = arguments.popFirst().flatMap(Int.init),
            (1...maxMilliseconds).contains(milliseconds), arguments.isEmpty
        else {
            let names = Row.all.map(\.name).joined(separator: "|")
            let usage = "usage: telemetry-bench \(names) --milliseconds 1…\(maxMilliseconds)\n"
            write(2, usage, usage.utf8.count)
            exit(2)
        }
        print(row.measure(milliseconds: milliseconds))
    }
}
