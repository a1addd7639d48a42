internal import Models
internal import Values

/// The type of a field that is asked for on the command line.
enum DraftType: Sendable {
    case text, line, code, email, int, money, bool, time, json
    /// One of these words.
    case choice([Name])
    /// A row of another model of the service.
    case reference(Name, table: String)

    /// For the help.
    static let words = "text, line, code, email, int, money, bool, time, json, choice(a|b), ref(Model)"

    init(_ text: String, field: Name, table: (Name) -> String?) throws(ScaffoldError) {
        func inner(_ prefix: String) -> String? {
            text.hasPrefix(prefix + "(") && text.hasSuffix(")")
                ? String(text.dropFirst(prefix.count + 1).dropLast()) : nil
        }
        switch text {
        case "text": self = .text
        case "line": self = .line
        case "code": self = .code
        case "email": self = .email
        case "int": self = .int
        case "money": self = .money
        case "bool": self = .bool
        case "time": self = .time
        case "json": self = .json
        default:
            if let words = inner("choice") {
                var names: [Name] = []
                for word in words.split(separator: "|") { names.append(try Name(String(word), of: "choice")) }
                guard names.count > 1, Set(names).count == names.count else {
                    throw ScaffoldError(
                        "the field '\(field.snake)' needs two choices or more, each once: choice(new|old)")
                }
                self = .choice(names)
            } else if let model = inner("ref") {
                let name = try Name(model, of: "model")
                guard let table = table(name) else {
                    throw ScaffoldError("the field '\(field.snake)' refers to \(name.type), which the service has not")
                }
                self = .reference(name, table: table)
            } else {
                throw ScaffoldError("'\(text)' of the field '\(field.snake)' is no type (known: \(Self.words))")
            }
        }
    }

    var isText: Bool {
        switch self {
        case .text, .line, .code, .email: true
        default: false
        }
    }

    /// What the real types say of their columns, so that the migration is what the schema asks for.
    var facts: FieldFacts {
        switch self {
        case .text: String.facts(.text(0...2_000))
        case .line: String.facts(.line(1...200))
        case .code: String.facts(.code)
        case .email: String.facts(.email)
        case .int: Int.facts(.range(0...1_000_000))
        case .money: Money.facts(.notNegative)
        case .bool: Bool.facts(Bool.openRule)
        case .time: Timestamp.facts(Timestamp.openRule)
        case .json: JSONObject.facts(JSONObject.openRule)
        case .choice(let names): .choice(names.map(\.snake))
        case .reference(let model, let table): ID.facts(.references(table: table, model: model.type))
        }
    }

    /// The rule as it stands in the schema; nil when there is none.
    var rule: String? {
        switch self {
        case .text: ".text(0...2_000)"
        case .line: ".line(1...200)"
        case .code: ".code"
        case .email: ".email"
        case .int: ".range(0...1_000_000)"
        case .money: ".notNegative"
        case .bool, .time, .json, .choice: nil
        case .reference(let model, _): ".references(\(model.type).self)"
        }
    }

    /// The name of the Swift type.
    func swift(_ field: Name) -> String {
        switch self {
        case .text, .line, .code, .email: "String"
        case .int: "Int"
        case .money: "Money"
        case .bool: "Bool"
        case .time: "Timestamp"
        case .json: "JSONObject"
        case .choice: field.type
        case .reference: "ID"
        }
    }

    /// What the property starts as.
    func initial(_ field: Name) -> String {
        switch self {
        case .text, .line, .code, .email: "\"\""
        case .int: "0"
        case .money: "Money.zero"
        case .bool: "false"
        case .time: "Timestamp(microseconds: 0)"
        case .json: "JSONObject.empty"
        case .choice(let names): "\(field.type).\(names[0].asCase)"
        case .reference: "ID.none"
        }
    }

    /// A value for tests, in JSON; nil for what only the database can give.
    var example: String? {
        switch self {
        case .text, .line: "\"One of them\""
        case .code: "\"A-1\""
        case .email: "\"mira@home.example\""
        case .int: "3"
        case .money: "12.50"
        case .bool: "true"
        case .time: "\"2026-01-31T12:00:00Z\""
        case .json: "{\"a\":1}"
        case .choice(let names): "\"\(names[0].snake)\""
        case .reference: nil
        }
    }

    /// Whether the property's type comes from `Values`.
    var isOfValues: Bool {
        switch self {
        case .money, .time: true
        default: false
        }
    }
}
