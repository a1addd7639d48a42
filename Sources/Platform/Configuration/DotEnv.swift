/// `.env` files: `NAME=value` a line, `#` comments, `export`, single or double quotes; `\n` in double quotes.
package enum DotEnv {
    /// - Throws: `ConfigurationError` naming the line, never its value.
    package static func parse(_ text: String) throws -> [String: String] {
        var values: [String: String] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = trimmed(line)
            if rest.isEmpty || rest.first == "#" { continue }
            if rest.hasPrefix("export ") { rest = trimmed(rest.dropFirst(7)) }
            guard let equals = rest.firstIndex(of: "="), isName(rest[..<equals]) else {
                throw ConfigurationError(problems: [".env line \(index + 1) is not NAME=value"])
            }
            guard let value = value(trimmed(rest[rest.index(after: equals)...])) else {
                throw ConfigurationError(problems: [".env line \(index + 1) has a quote that is not closed"])
            }
            values[String(rest[..<equals])] = value
        }
        return values
    }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        }
    }

    private static func value(_ text: Substring) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            // A comment needs a space before it, so that values may hold '#'.
            var end = text.endIndex
            var previous: Character = " "
            for index in text.indices {
                if text[index] == "#", previous == " " || previous == "\t" {
                    end = index
                    break
                }
                previous = text[index]
            }
            return String(trimmed(text[..<end]))
        }
        var result = ""
        var isEscaped = false
        for character in text.dropFirst() {
            if isEscaped {
                result.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\", quote == "\"" {
                isEscaped = true
            } else if character == quote {
                return result
            } else {
                result.append(character)
            }
        }
        return nil
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var rest = Substring(text)
        while let first = rest.first, first == " " || first == "\t" || first == "\r" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
        return rest
    }
}
