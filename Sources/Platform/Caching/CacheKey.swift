internal import Values

/// The name of one entry of a cache: parts in order, the company first, so that nobody is ever shown what was kept for
/// another company, and so that patterns can name parts.
package struct CacheKey: Sendable, Hashable {
    /// The parts, each escaped, with a slash between them.
    let text: String

    /// - Parameters:
    ///   - company: whose entry it is; nil for what the platform itself keeps.
    ///   - parts: whatever tells entries apart; any text.
    package init(company: String?, _ parts: String...) {
        text = ([Self.escaped(company ?? "")] + parts.map(Self.escaped)).joined(separator: "/")
    }

    /// Keeps separators and what globs give a meaning to out of a part (percent-encoding).
    static func escaped(_ part: String) -> String {
        var escaped = ""
        for scalar in part.unicodeScalars {
            switch scalar {
            case "/", "%", "*", "?", "[", "]", "\\", "^": escaped += "%" + String(scalar.value, radix: 16)
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

/// Which entries of a cache are meant: those whose parts are as named, as far as the pattern goes.
package struct CachePattern: Sendable, Hashable {
    package enum Part: Sendable, Hashable, ExpressibleByStringLiteral {
        case exactly(String)
        case any

        package init(stringLiteral value: String) { self = .exactly(value) }

        fileprivate var glob: String {
            switch self {
            case .exactly(let part): CacheKey.escaped(part)
            case .any: "*"
            }
        }
    }

    /// As Redis matches it (`SCAN … MATCH`).
    let glob: String

    /// Every entry, of every company.
    package static let all = CachePattern(glob: "*")

    /// Every entry of a company whose first parts are these.
    /// - Parameter company: nil for what the platform itself keeps.
    package init(company: String?, _ parts: Part...) { self.init(.exactly(company ?? ""), parts) }

    /// The same in all companies.
    package init(everyCompany parts: Part...) { self.init(.any, parts) }

    private init(_ company: Part, _ parts: [Part]) {
        glob = ([company] + parts).map { $0.glob + "/" }.joined() + "*"
    }

    private init(glob: String) { self.glob = glob }
}
