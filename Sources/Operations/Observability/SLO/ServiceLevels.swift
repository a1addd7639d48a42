internal import Cart
internal import Processor
internal import ServiceKit
internal import Telemetry

/// What is promised to users, over 30 days.
struct ServiceLevels: Sendable {
    let services: [ServiceDefinition]

    /// Behind these no shopper waits.
    private static let background: Set<String> = ["notifications", "processor"]
    /// The slowest answer that counts as quick, in seconds: a bucket of the histogram.
    private static let quickSeconds = 0.5
    /// How soon an order should be decided, in seconds: a bucket of the histogram.
    private static let decisionSeconds = 10.0

    var all: [ServiceLevel] { [availability, latency, checkout, freshness, correctness] }

    private func objectives(_ usual: Double, background: Double) -> [(job: String, share: Double)] {
        services.map { ($0.name, Self.background.contains($0.name) ? background : usual) }
    }

    private var availability: ServiceLevel {
        let requests = HTTPTelemetry.requests.series.where("route", .userRoute)
        return .share(
            "availability", "Requests are answered without an error of ours.",
            of: requests.where("status", .serverError), in: requests,
            objectives: objectives(0.999, background: 0.99))
    }

    private var latency: ServiceLevel {
        .duration(
            "latency", "Requests are answered within half a second.",
            within: HTTPTelemetry.duration.atMost(Self.quickSeconds).where("route", .userRoute),
            of: HTTPTelemetry.duration.count.where("route", .userRoute), objectives: objectives(0.99, background: 0.95))
    }

    private var checkout: ServiceLevel {
        .share(
            "checkout", "A checkout becomes an order, unless the shopper's own cart stands in the way.",
            of: CartTelemetry.checkouts.series.where("outcome", .equals("failure")),
            in: CartTelemetry.checkouts.series.where("outcome", .any(of: ["success", "failure"])),
            objectives: [("cart", 0.999)])
    }

    private var freshness: ServiceLevel {
        .duration(
            "freshness", "An order is decided within ten seconds.",
            within: ProcessorTelemetry.duration.atMost(Self.decisionSeconds), of: ProcessorTelemetry.duration.count,
            objectives: [("processor", 0.99)])
    }

    private var correctness: ServiceLevel {
        .share(
            "correctness", "An order is decided by stock and payment, not by a time-out.",
            of: ProcessorTelemetry.outcomes.series.where("reason", .equals("timed_out")),
            in: ProcessorTelemetry.outcomes.series, objectives: [("processor", 0.999)])
    }
}
