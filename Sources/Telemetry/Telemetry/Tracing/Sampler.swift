/// What becomes of a span that starts.
package enum SamplingDecision: Sendable {
    case drop
    /// Kept in this process (for a later decision), told to nobody.
    case record
    case recordAndSample
}

/// Decides which traces are recorded (OpenTelemetry specification, Trace SDK, section Sampling).
package struct Sampler: Sendable {
    private indirect enum Rule: Sendable {
        case always
        case never
        /// Sampled when the right-most 63 bits of the trace identifier are below this bound: every process that knows
        /// the identifier decides alike.
        case traceIDBelow(UInt64)
        case parentBased(root: Rule)
        case custom(@Sendable (Candidate) -> SamplingDecision)
    }

    /// A span that is about to start.
    package struct Candidate: Sendable {
        package let traceID: TraceID
        package let name: String
        package let kind: SpanKind
        package let parent: SpanContext?
    }

    private let rule: Rule

    /// Every trace.
    package static let alwaysOn = Sampler(rule: .always)
    /// No trace.
    package static let alwaysOff = Sampler(rule: .never)

    /// - Parameter ratio: the share of traces that are sampled, 0 to 1; outside it is clamped.
    package static func traceIDRatio(_ ratio: Double) -> Sampler {
        if !(ratio > 0) { return alwaysOff }
        if ratio >= 1 { return alwaysOn }
        return Sampler(rule: .traceIDBelow(UInt64(ratio * 0x1p63)))
    }

    /// The parent's decision; `root` decides for spans without a parent.
    package static func parentBased(root: Sampler) -> Sampler { Sampler(rule: .parentBased(root: root.rule)) }

    /// A rule of one's own, asked for every span: it must be quick.
    package static func custom(_ decide: @escaping @Sendable (Candidate) -> SamplingDecision) -> Sampler {
        Sampler(rule: .custom(decide))
    }

    /// The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name, or nil for a name or argument that
    /// OpenTelemetry does not know.
    package init?(name: String, argument: String?) {
        let ratio: Double
        if let argument, !argument.isEmpty {
            guard let value = Double(argument), (0...1).contains(value) else { return nil }
            ratio = value
        } else {
            ratio = 1
        }
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

    private init(rule: Rule) { self.rule = rule }

    func decide(traceID: TraceID, name: String, kind: SpanKind, parent: SpanContext?) -> SamplingDecision {
        var rule = rule
        while true {
            switch rule {
            case .always: return .recordAndSample
            case .never: return .drop
            case .traceIDBelow(let bound): return traceID.low >> 1 < bound ? .recordAndSample : .drop
            case .parentBased(let root):
                if let parent { return parent.isSampled ? .recordAndSample : .drop }
                rule = root
            case .custom(let decide):
                return decide(Candidate(traceID: traceID, name: name, kind: kind, parent: parent))
            }
        }
    }
}
