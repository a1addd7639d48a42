/// Starts spans for one service.
package final class Tracer: Sendable {
    init() {}

    /// Starts a span; the caller ends it.
    /// - Parameter parent: the context whose span becomes the parent; a context without a span starts a trace.
    package func startSpan(
        _ name: String, kind: SpanKind = .internal, parent: TelemetryContext = .current, links: [SpanLink] = []
    ) -> Span { fatalError("skeleton") }

    /// Runs `body` inside a new span that is current for it. A thrown error is recorded by its type, and rethrown.
    package func withSpan<T>(
        _ name: String, kind: SpanKind = .internal, parent: TelemetryContext = .current, links: [SpanLink] = [],
        _ body: (Span) async throws -> T
    ) async rethrows -> T { fatalError("skeleton") }
}
