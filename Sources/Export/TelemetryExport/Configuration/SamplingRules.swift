internal import Telemetry
internal import TelemetrySDK

/// The argument of the sampler `vitrine_rules`: `ratio=0.1,slow_ms=500,drop=/health|/metrics`. A share of the traces is
/// sampled beforehand; of the others those are kept that have an error or a slow request; named routes are not traced.
struct SamplingRules: Equatable {
    static let name = "vitrine_rules"
    static let accepted =
        "ratio=<0 to 1>,slow_ms=<1 to 600000>,drop=<route>|<route>, each of them or none"

    /// Routes that monitoring asks for, again and again.
    static let quietRoutes: Set<String> = [
        "/health", "/health/live", "/health/ready", "/healthz", "/livez", "/readyz", "/metrics",
    ]

    private(set) var ratio = 0.1
    private(set) var slowMilliseconds = 500
    private(set) var droppedRoutes = quietRoutes

    init() {}

    /// Nil when a part is not understood.
    init?(_ text: String) {
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { return nil }
            let value = String(pair[1])
            switch pair[0] {
            case "ratio":
                guard let number = Double(value), (0...1).contains(number) else { return nil }
                ratio = number
            case "slow_ms":
                guard let number = Int(value), (1...600_000).contains(number) else { return nil }
                slowMilliseconds = number
            case "drop": droppedRoutes = Set(value.split(separator: "|").map(String.init))
            default: return nil
            }
        }
    }

    var sampler: Sampler { .rules(ratio: ratio, droppedRoutes: droppedRoutes) }

    var tail: TailBuffer.Configuration {
        var tail = TailBuffer.Configuration()
        tail.slowNanoseconds = UInt64(slowMilliseconds) * 1_000_000
        return tail
    }
}
