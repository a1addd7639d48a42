internal import Telemetry

/// That one span led to another, by their names: a call and what served it, a message and what handled it.
package struct SpanEdge: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// The second span is a child of the first.
        case child
        /// The second span links the first.
        case link
    }

    package let from: String
    package let to: String
    package let kind: Kind

    package init(_ from: String, _ to: String, _ kind: Kind = .child) {
        self.from = from
        self.to = to
        self.kind = kind
    }

    package var description: String { kind == .child ? "\(from) → \(to)" : "\(from) ⇢ \(to)" }

    /// The edges between finished spans of one service or of several, which pass their contexts on to each other.
    package static func between(_ captures: [TelemetryCapture]) -> Set<SpanEdge> {
        let spans = captures.flatMap(\.spans)
        let names = Dictionary(spans.map { ($0.context.spanID, $0.name) }) { first, _ in first }
        var edges: Set<SpanEdge> = []
        for span in spans {
            if let parent = span.parent, let name = names[parent] { edges.insert(SpanEdge(name, span.name)) }
            for link in span.links {
                if let name = names[link.spanID] { edges.insert(SpanEdge(name, span.name, .link)) }
            }
        }
        return edges
    }
}

extension TelemetryCapture {
    /// The edges between this service's finished spans.
    package var edges: Set<SpanEdge> { SpanEdge.between([self]) }

    /// What a series grew by while `body` ran; one that was not there before began at zero.
    /// - Parameter series: as for `value`.
    package func delta(of series: String, _ body: () async throws -> Void) async rethrows -> Double {
        let before = value(series) ?? 0
        try await body()
        return (value(series) ?? 0) - before
    }
}
