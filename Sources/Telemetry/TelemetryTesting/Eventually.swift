internal import Telemetry

/// Waits until something holds that another task, process or server brings about.
/// - Parameter seconds: how long at most; a loaded machine is slow, and a test that passes does not wait.
/// - Returns: whether it came to hold.
package func eventually(
    seconds: Int = 60, _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let end = TelemetryClock.system.monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    while TelemetryClock.system.monotonicNanoseconds() < end {
        if try await condition() { return true }
        try? await Task.sleep(nanoseconds: 10_000_000)
    }
    return try await condition()
}
