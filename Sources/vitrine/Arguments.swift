/// One command of the executable: its name, what it takes, and what it does.
struct Command: Sendable {
    struct Option: Sendable {
        let name: String
        /// What the value is called in the help; nil for a flag.
        let value: String?
        let help: String
    }

    let name: String
    let synopsis: String
    let summary: String
    var options: [Option] = []
    /// The exit status.
    let run: @Sendable (Arguments) async throws -> Int32

    static let all: [Command] = [
        .up, .run, .worker, .tasks, .demo, .load, .migrate, .services, .new, .token, .render, .drill,
    ]

    var help: String {
        var text = "usage: vitrine \(name)\(synopsis.isEmpty ? "" : " " + synopsis)\n\n\(summary)\n"
        if !options.isEmpty {
            text += "\n"
            for option in options {
                let left = "  --\(option.name)\(option.value.map { " " + $0 } ?? "")"
                text += Usage.padded(left, 26) + option.help + "\n"
            }
        }
        return text
    }
}

/// The words after a command's name, checked against what it takes.
struct Arguments: Sendable {
    private(set) var positional: [String] = []
    private(set) var options: [String: String] = [:]
    private(set) var wantsHelp = false

    /// - Throws: `UsageError` for an unknown option or a missing value.
    init(_ words: [String], of command: Command) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-") else {
                positional.append(word)
                continue
            }
            if word == "-h" || word == "--help" {
                wantsHelp = true
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard word.hasPrefix("--"), let name = parts.first.map(String.init),
                let option = command.options.first(where: { $0.name == name })
            else { throw UsageError("there is no option '\(word)'") }
            if option.value == nil {
                guard parts.count == 1 else { throw UsageError("--\(name) takes no value") }
                options[name] = "true"
            } else if parts.count == 2 {
                options[name] = String(parts[1])
            } else {
                guard let value = rest.popFirst() else { throw UsageError("--\(name) needs a value") }
                options[name] = value
            }
        }
    }

    func flag(_ name: String) -> Bool { options[name] != nil }
}

/// The command line cannot be understood.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

enum Usage {
    static var overview: String {
        var text = """
            Vitrine: a retail and ERP platform that is seen through: services, metrics, traces, logs.

            usage: vitrine COMMAND [OPTIONS]

            """
        for command in Command.all { text += "  " + padded(command.name, 12) + command.summary + "\n" }
        return text + "\n'vitrine COMMAND --help' tells more of each.\n"
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
