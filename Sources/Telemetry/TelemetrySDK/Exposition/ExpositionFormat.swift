/// The formats of `/metrics`, and which one a scraper gets (Prometheus content negotiation).
package enum ExpositionFormat: Sendable {
    case prometheusText(version: String)
    case openMetrics(version: String)

    /// What is sent to whoever does not ask for anything that we know.
    package static let fallback = ExpositionFormat.prometheusText(version: "0.0.4")

    /// The `Content-Type` of the body.
    package var contentType: String {
        switch self {
        case .prometheusText("0.0.4"): "text/plain; version=0.0.4; charset=utf-8"
        case .prometheusText(let version):
            "text/plain; version=\(version); charset=utf-8; escaping=underscores"
        case .openMetrics(let version):
            "application/openmetrics-text; version=\(version); charset=utf-8; escaping=underscores"
        }
    }

    var isOpenMetrics: Bool {
        if case .openMetrics = self { return true }
        return false
    }

    /// The supported format with the highest quality in an `Accept` header; the first of equals; the fallback when
    /// there is none.
    package static func negotiate(accept: String?) -> ExpositionFormat {
        guard let accept else { return fallback }
        var best: (format: ExpositionFormat, quality: Double)?
        for range in MediaRange.parse(accept) where range.quality > (best?.quality ?? 0) {
            if let format = format(for: range) { best = (format, range.quality) }
        }
        return best?.format ?? fallback
    }

    private static func format(for range: MediaRange) -> ExpositionFormat? {
        switch range.type {
        case "application/openmetrics-text":
            switch range.parameters["version"] {
            case nil, "1.0.0": .openMetrics(version: "1.0.0")
            case "0.0.1": .openMetrics(version: "0.0.1")
            default: nil
            }
        case "text/plain":
            switch range.parameters["version"] {
            case nil, "0.0.4": .fallback
            case "1.0.0": .prometheusText(version: "1.0.0")
            default: nil
            }
        case "*/*", "text/*": .fallback
        default: nil
        }
    }
}

/// One element of an `Accept` or `Accept-Encoding` header with its parameters (RFC 9110, section 12.5).
struct MediaRange {
    let type: String
    let parameters: [String: String]
    /// 0 to 1; 1 when it is not given, 0 when it is not a number.
    let quality: Double

    /// Elements that are looked at; no scraper sends more.
    private static let maxElements = 32

    static func parse(_ header: String) -> [MediaRange] {
        header.split(separator: ",").prefix(maxElements).compactMap { element in
            let parts = element.split(separator: ";").map(trim)
            guard let type = parts.first, !type.isEmpty else { return nil }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                guard let equals = part.firstIndex(of: "=") else { continue }
                let value = trim(part[part.index(after: equals)...])
                parameters[trim(part[..<equals]).lowercased()] =
                    value.count >= 2 && value.hasPrefix("\"") && value.hasSuffix("\"")
                    ? String(value.dropFirst().dropLast()) : value
            }
            let quality = parameters["q"].map { Double($0) ?? 0 } ?? 1
            return MediaRange(
                type: type.lowercased(), parameters: parameters,
                quality: (0...1).contains(quality) ? quality : 0)
        }
    }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
