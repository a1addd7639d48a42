package import Telemetry

/// The text of `/metrics` for one registry, in the format that the scraper accepts.
package struct MetricsExposition {
    /// - Parameters:
    ///   - accept: the `Accept` header. - acceptEncoding: the `Accept-Encoding` header.
    /// - Returns: the body, its content type, and its content encoding when compressed.
    package static func render(_ registry: MetricRegistry, accept: String?, acceptEncoding: String?)
        -> (body: [UInt8], contentType: String, contentEncoding: String?)
    { fatalError("skeleton") }
}
