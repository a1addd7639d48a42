/// A fault that is brought about on purpose, and the alerts that must fire because of it and be over after it.
package struct Drill: Sendable {
    /// An alert that must fire, and labels that it must have: others of its name may fire beside it.
    struct Expected: Sendable {
        let alert: String
        var labels: [String: String] = [:]

        init(_ alert: String, _ labels: [String: String] = [:]) {
            self.alert = alert
            self.labels = labels
        }
    }

    typealias Step = @Sendable (DrillTools) async throws -> Void

    let expected: [Expected]
    /// What is done, in a few words: a column of the table.
    package let cause: String
    /// Drills of one phase run at once; the next phase begins when those of this one are over.
    let phase: Phase
    /// Asked for over and over, many times a second, until the alerts are over. Nil for none.
    let traffic: (perSecond: Double, request: Step)?
    let begin: Step
    let end: Step
    /// The alert is there all the time: the fault makes it go.
    let isInverted: Bool
    /// The first alert keeps the others quiet until it is over: the fault ends after the first.
    let isCascade: Bool
    /// What is asked for goes on until the alerts are over: only success ends them.
    let keepsTraffic: Bool

    package var alerts: [String] { expected.map(\.alert) }

    /// Which drills do not disturb each other.
    enum Phase: Int, CaseIterable, Comparable, Sendable {
        /// Spans the others, because it takes long.
        case background
        case services, data, messaging, orders, timeouts, targets, database, watchdog
        static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
    }

    init(
        _ phase: Phase, _ expected: [Expected], _ cause: String, traffic perSecond: Double = 0,
        isInverted: Bool = false,
        isCascade: Bool = false, keepsTraffic: Bool = false, begin: @escaping Step = { _ in },
        end: @escaping Step = { _ in }, request: Step? = nil
    ) {
        self.phase = phase
        self.expected = expected
        self.cause = cause
        self.isInverted = isInverted
        self.isCascade = isCascade
        self.keepsTraffic = keepsTraffic
        self.begin = begin
        self.end = end
        traffic = request.map { (perSecond, $0) }
    }

    /// A drill of one alert.
    init(
        _ phase: Phase, _ alert: String, _ labels: [String: String] = [:], _ cause: String,
        traffic perSecond: Double = 0,
        begin: @escaping Step = { _ in }, end: @escaping Step = { _ in }, request: Step? = nil
    ) {
        self.init(
            phase, [.init(alert, labels)], cause, traffic: perSecond, begin: begin, end: end, request: request)
    }
}

/// How a drill of one alert went.
package struct DrillResult: Sendable {
    package let alert: String
    package let cause: String
    /// From the fault to Alertmanager; nil when it never came there.
    package var firedSeconds: Double?
    /// From the fault to the row at notifications.
    package var toldSeconds: Double?
    /// From the end of the fault to the row that says that it is over.
    package var resolvedSeconds: Double?
    package var problem: String?

    package var isGood: Bool { problem == nil && toldSeconds != nil && resolvedSeconds != nil }
}
