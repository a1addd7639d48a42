package import Telemetry

/// The text of `/metrics` for one registry, in the format that the scraper accepts: Prometheus text 0.0.4 (and
/// 1.0.0), or OpenMetrics 1.0 with exemplars; gzip when the scraper takes it.
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
        -> (body: [UInt8], contentType: String, contentEncoding: String?)
    {
        let format = ExpositionFormat.negotiate(accept: accept)
        let body = render(registry, format: format)
        if body.count >= minCompressedBytes, acceptsGzip(acceptEncoding), let compressed = Gzip.compress(body) {
            return (compressed, format.contentType, "gzip")
        }
        return (body, format.contentType, nil)
    }

    /// The text in one format.
    package static func render(_ registry: MetricRegistry, format: ExpositionFormat) -> [UInt8] {
        var writer = ExpositionWriter(openMetrics: format.isOpenMetrics)
        for family in registry.families { writer.write(family) }
        return writer.finish()
    }

    /// Whether an `Accept-Encoding` header allows gzip (RFC 9110, section 12.5.3).
    package static func acceptsGzip(_ header: String?) -> Bool {
        guard let header else { return false }
        let elements = MediaRange.parse(header)
        let gzip = elements.first { $0.type == "gzip" || $0.type == "x-gzip" } ?? elements.first { $0.type == "*" }
        return (gzip?.quality ?? 0) > 0
    }
}
