package import Telemetry

/// The text of `/metrics` for one registry, in the format that the scraper accepts: Prometheus text 0.0.4 (and
/// 1.0.0), or OpenMetrics 1.0 with exemplars; protobuf when the registry offers native histograms and the scraper prefers
/// it; gzip when the scraper takes it.
///
/// Families are ordered by name, series by label values, so that two scrapes differ only in what has changed. Bucket
/// bounds read the same in both formats, so that a rule on `le` survives a change of format.
package struct MetricsExposition {
    /// Bodies smaller than this are not worth compressing.
    private static let minCompressedBytes = 1_024

    /// - Parameters:
    ///   - accept: the `Accept` header. - acceptEncoding: the `Accept-Encoding` header.
    /// - Returns: the body, its content type, and its content encoding when compressed.
    package static func render(_ registry: MetricRegistry, accept: String?, acceptEncoding: String?)
        -> Rendered
    {
        let format = ExpositionFormat.negotiate(accept: accept, offersProtobuf: registry.histograms.native != .off)
        let (body, series) = write(registry, format)
        if body.count >= minCompressedBytes, acceptsGzip(acceptEncoding), let compressed = Gzip.compress(body) {
            return Rendered(
                body: compressed, contentType: format.contentType, contentEncoding: "gzip", series: series)
        }
        return Rendered(body: body, contentType: format.contentType, contentEncoding: nil, series: series)
    }

    /// What one scrape is answered.
    package struct Rendered: Sendable {
        package let body: [UInt8]
        package let contentType: String
        /// `gzip`, or nil when the body is as it is.
        package let contentEncoding: String?
        /// How many series it shows, as Prometheus counts them: each bucket of a histogram is one.
        package let series: Int
    }

    /// The body in one format.
    package static func render(_ registry: MetricRegistry, format: ExpositionFormat) -> [UInt8] {
        write(registry, format).body
    }

    private static func write(_ registry: MetricRegistry, _ format: ExpositionFormat) -> (body: [UInt8], series: Int) {
        if format == .protobuf {
            var writer = ProtobufExpositionWriter(native: registry.histograms.native)
            for family in registry.families { writer.write(family) }
            return (writer.finish(), writer.samples)
        }
        var writer = ExpositionWriter(openMetrics: format.isOpenMetrics)
        for family in registry.families { writer.write(family) }
        return (writer.finish(), writer.samples)
    }

    /// Whether an `Accept-Encoding` header allows gzip (RFC 9110, section 12.5.3).
    package static func acceptsGzip(_ header: String?) -> Bool {
        guard let header else { return false }
        let elements = MediaRange.parse(header)
        let gzip = elements.first { $0.type == "gzip" || $0.type == "x-gzip" } ?? elements.first { $0.type == "*" }
        return (gzip?.quality ?? 0) > 0
    }
}
