/// The formats of `/metrics`, and which one a scraper gets (RFC 9110, section 12.5.1; Prometheus content negotiation).
package enum ExpositionFormat: Hashable, Sendable {
    case prometheusText(version: String)
    case openMetrics(version: String)
    /// `io.prometheus.client.MetricFamily` messages, each with its length in front.
    case protobuf

    /// What is sent to whoever does not ask for anything that we know.
    package static let fallback = ExpositionFormat.prometheusText(version: "0.0.4")

    /// Every format that can be asked for; the first of equals is sent.
    private static let all: [ExpositionFormat] = [
        .fallback, .openMetrics(version: "1.0.0"), .prometheusText(version: "1.0.0"), .openMetrics(version: "0.0.1"),
    ]

    /// The `Content-Type` of the body. Our names are of the characters that every version allows: there is nothing to
    /// escape, whatever form was asked for.
    package var contentType: String {
        switch self {
        case .prometheusText("0.0.4"): "text/plain; version=0.0.4; charset=utf-8"
        case .prometheusText(let version):
            "text/plain; version=\(version); charset=utf-8; escaping=underscores"
        case .openMetrics(let version):
            "application/openmetrics-text; version=\(version); charset=utf-8; escaping=underscores"
        case .protobuf: "\(Self.protobufType); proto=\(Self.protobufMessage); encoding=delimited"
        }
    }

    private static let protobufType = "application/vnd.google.protobuf"
    private static let protobufMessage = "io.prometheus.client.MetricFamily"

    var isOpenMetrics: Bool {
        if case .openMetrics = self { return true }
        return false
    }

    /// The supported format with the highest quality in an `Accept` header; of equals the one named first; the fallback
    /// when there is none: a person with a browser sees text, a scraper never sees 406.
    /// - Parameter offersProtobuf: whether it may be protobuf, for who names it.
    package static func negotiate(accept: String?, offersProtobuf: Bool = false) -> ExpositionFormat {
        guard let accept else { return fallback }
        let ranges = MediaRange.parse(accept)
        var best: (format: ExpositionFormat, quality: Double, position: Int)?
        for format in offersProtobuf ? all + [.protobuf] : all {
            guard let (quality, position) = format.quality(in: ranges), quality > 0 else { continue }
            if let known = best, (known.quality, -known.position) >= (quality, -position) { continue }
            best = (format, quality, position)
        }
        return best?.format ?? fallback
    }

    /// The quality that the most specific of the ranges gives this format, and which one that is.
    private func quality(in ranges: [MediaRange]) -> (Double, position: Int)? {
        var best: (specificity: Int, quality: Double, position: Int)?
        for (position, range) in ranges.enumerated() {
            guard let specificity = specificity(of: range), specificity > best?.specificity ?? 0 else { continue }
            best = (specificity, range.quality, position)
        }
        return best.map { ($0.quality, $0.position) }
    }

    /// How exactly a range names this format: 4 with its version, down to 1 for `*/*`; nil when it does not.
    private func specificity(of range: MediaRange) -> Int? {
        if self == .protobuf { return Self.isProtobuf(range) ? 4 : nil }
        let (type, version, usual) =
            switch self {
            case .prometheusText(let version): ("text/plain", version, "0.0.4")
            case .openMetrics(let version): ("application/openmetrics-text", version, "1.0.0")
            case .protobuf: (Self.protobufType, "", "")
            }
        switch range.type {
        case type:
            guard let wanted = range.parameters["version"] else { return version == usual ? 3 : nil }
            return wanted == version ? 4 : nil
        case "text/*" where type == "text/plain", "application/*" where type != "text/plain":
            return version == usual ? 2 : nil
        case "*/*": return version == usual ? 1 : nil
        default: return nil
        }
    }

    /// The message and its encoding have to be named; a range like `*/*` means something readable.
    private static func isProtobuf(_ range: MediaRange) -> Bool {
        range.type == protobufType && range.parameters["proto"] == protobufMessage
            && range.parameters["encoding"] == "delimited"
    }
}
