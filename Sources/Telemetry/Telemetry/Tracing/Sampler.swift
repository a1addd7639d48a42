/// What becomes of a span that starts.
package enum SamplingDecision: Sendable {
    case drop
    /// Kept in this process (for a later decision), told to nobody.
    case record
    case recordAndSample
}

/// Decides which traces are recorded (OpenTelemetry specification, Trace SDK, section Sampling).
package struct Sampler: Sendable {
    /// What decides for a span without a parent.
    private enum Root: UInt8, Sendable {
        case always
        case never
        /// Sampled when the right-most 63 bits of the trace identifier are below `bound`: every process that knows
        /// the identifier decides alike.
        case traceIDBelow
        /// As `traceIDBelow`; the others are recorded for the tail buffer.
        case rules
        case custom
        /// Makes no span of its own.
        case nobody
    }

    /// A span that is about to start.
    package struct Candidate: Sendable {
        package let traceID: TraceID
        package let name: String
        package let kind: SpanKind
        package let parent: SpanContext?
    }

    private let root: Root
    private var bound: UInt64 = 0
    private var isParentBased = false
    private var droppedRoutes: Set<String> = []
    private var custom: (@Sendable (Candidate) -> SamplingDecision)?

    /// Every trace.
    package static let alwaysOn = Sampler(root: .always)
    /// No trace.
    package static let alwaysOff = Sampler(root: .never)

    /// No span at all: whoever asks for one gets the parent's context, unchanged, or an invalid one where there is no
    /// parent (OpenTelemetry specification, Trace API, section Behavior of the API in the absence of an installed SDK).
    /// A service whose telemetry is switched off decides nothing for those below it.
    package static let passThrough = Sampler(root: .nobody)

    /// - Parameter ratio: the share of traces that are sampled, 0 to 1; outside it is clamped.
    package static func traceIDRatio(_ ratio: Double) -> Sampler {
        if !(ratio > 0) { return alwaysOff }
        if ratio >= 1 { return alwaysOn }
        return Sampler(root: .traceIDBelow, bound: bound(ratio))
    }

    /// The parent's decision; `root` decides for spans without a parent.
    package static func parentBased(root: Sampler) -> Sampler {
        var sampler = root
        sampler.isParentBased = true
        return sampler
    }

    /// A rule of one's own, asked for every span: it must be quick.
    package static func custom(_ decide: @escaping @Sendable (Candidate) -> SamplingDecision) -> Sampler {
        Sampler(root: .custom, custom: decide)
    }

    /// Spans of the named routes are dropped with everything below them; of the other traces a share is sampled, and
    /// the rest is recorded, so that a tail buffer can keep what turns out to be an error or slow. The decision of a
    /// parent that is sampled holds.
    /// - Parameters:
    ///   - ratio: the share of traces that are sampled beforehand, 0 to 1.
    ///   - droppedRoutes: route templates, as span names have them after the method.
    package static func rules(ratio: Double, droppedRoutes: Set<String>) -> Sampler {
        let ratio = ratio > 0 ? min(ratio, 1) : 0
        return Sampler(root: .rules, bound: bound(ratio), droppedRoutes: droppedRoutes)
    }

    /// The sampler that `OTEL_TRACES_SAMPLER` names, or nil for a name that OpenTelemetry does not know.
    /// - Parameter ratio: what `OTEL_TRACES_SAMPLER_ARG` says, 0 to 1, for the samplers that take one.
    package init?(name: String, ratio: Double = 1) {
        switch name {
        case "always_on": self = .alwaysOn
        case "always_off": self = .alwaysOff
        case "traceidratio": self = .traceIDRatio(ratio)
        case "parentbased_always_on": self = .parentBased(root: .alwaysOn)
        case "parentbased_always_off": self = .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio": self = .parentBased(root: .traceIDRatio(ratio))
        default: return nil
        }
    }

    private init(
        root: Root, bound: UInt64 = 0, droppedRoutes: Set<String> = [],
        custom: (@Sendable (Candidate) -> SamplingDecision)? = nil
    ) {
        self.root = root
        self.bound = bound
        self.droppedRoutes = droppedRoutes
        self.custom = custom
    }

    /// Whether spans are their parents' contexts.
    @inline(__always)
    var passesThrough: Bool { root == .nobody }

    private static func bound(_ ratio: Double) -> UInt64 { UInt64(ratio * 0x1p63) }

    @inline(__always)
    func decide(traceID: TraceID, name: String, kind: SpanKind, parent: SpanContext?) -> SamplingDecision {
        if isParentBased, let parent { return parent.isSampled ? .recordAndSample : .drop }
        switch root {
        case .always: return .recordAndSample
        case .never, .nobody: return .drop
        case .traceIDBelow: return traceID.low >> 1 < bound ? .recordAndSample : .drop
        case .rules: return decideByRules(traceID: traceID, name: name, parent: parent)
        case .custom:
            return custom?(Candidate(traceID: traceID, name: name, kind: kind, parent: parent)) ?? .drop
        }
    }

    @inline(never)
    private func decideByRules(traceID: TraceID, name: String, parent: SpanContext?) -> SamplingDecision {
        if let parent {
            if parent.isSampled { return .recordAndSample }
            // Below a span of this process that was dropped nothing is worth keeping.
            if !parent.isRemote { return parent.isRecording ? .record : .drop }
        }
        if !droppedRoutes.isEmpty, let space = name.utf8.firstIndex(of: UInt8(ascii: " ")),
            droppedRoutes.contains(String(name[name.utf8.index(after: space)...]))
        {
            return .drop
        }
        if parent == nil, traceID.low >> 1 < bound { return .recordAndSample }
        return .record
    }
}
