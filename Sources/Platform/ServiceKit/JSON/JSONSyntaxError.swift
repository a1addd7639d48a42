/// Why a text is not JSON that everybody would read alike, and where.
struct JSONSyntaxError: Error, Equatable {
    enum Reason: String, Sendable {
        case empty = "the body is empty: a JSON value is expected"
        case byteOrderMark = "the body begins with a byte-order mark: send plain UTF-8"
        case invalidUTF8 = "a byte is not UTF-8"
        case unexpected = "an unexpected character"
        case unexpectedEnd = "the text ends too early"
        case trailing = "something follows the value"
        case tooDeep = "lists and objects are nested too deeply"
        case number = "not a number of JSON"
        case tooManyDigits = "a number has too many digits"
        case duplicateKey = "an object has the same key twice"
        case controlCharacter = "a control character in a string must be escaped"
        case escape = "an unknown escape sequence"
        case loneSurrogate = "half of a surrogate pair"
        case nul = "a string holds the character U+0000"
    }

    let reason: Reason
    /// Bytes before the place.
    let offset: Int

    init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
