/// Names under which nobody should see a value (PCI DSS, OWASP Logging Cheat Sheet), however they are written:
/// `api_key`, `X-API-Key`, `apiKey` and `http.request.header.x-api-key` are one.
///
/// A name is taken apart at everything that is not a letter and where its case changes. Nothing is allocated: names in
/// free text are looked at, too.
package enum SensitiveNames {
    /// A letter with which a part of the name begins has this bit.
    private static let start: UInt8 = 0x80
    /// Names longer than this are looked at from their end.
    private static let maxBytes = 256

    package static func matches(_ name: String) -> Bool {
        var name = name
        return name.withUTF8(matches)
    }

    package static func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard name.count > 2 else { return false }
        let name = UnsafeBufferPointer(rebasing: name.suffix(maxBytes))
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxBytes) { letters in
            let count = takeApart(name, into: letters)
            return isSensitive(UnsafeBufferPointer(rebasing: letters[..<count]))
        }
    }

    /// Writes the letters of a name in lower case, the first one of each part marked.
    private static func takeApart(
        _ name: UnsafeBufferPointer<UInt8>, into letters: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        var count = 0
        var isStart = true
        var wasUpper = false
        for (index, byte) in name.enumerated() {
            let isUpper = (0x41...0x5A).contains(byte)
            guard isUpper || (0x61...0x7A).contains(byte) || byte >= 0x80 else {
                isStart = true
                continue
            }
            if isUpper, !isStart {
                // `apiKey`, and the key of `APIKey`.
                isStart = !wasUpper || index + 1 < name.count && (0x61...0x7A).contains(name[index + 1])
            }
            letters[count] = (byte < 0x80 ? byte | 0x20 : 0x7F) | (isStart ? start : 0)
            count += 1
            isStart = false
            wasUpper = isUpper
        }
        return count
    }

    private static func isSensitive(_ letters: UnsafeBufferPointer<UInt8>) -> Bool {
        for (index, letter) in letters.enumerated() {
            let rest = UnsafeBufferPointer(rebasing: letters[index...])
            let isFound =
                switch letter & ~start {
                case UInt8(ascii: "a"):
                    begins(rest, "authorization") || begins(rest, "apikey") || begins(rest, "accesskey")
                        || isPart(rest, "auth")
                case UInt8(ascii: "b"): isPart(rest, "bearer")
                case UInt8(ascii: "c"):
                    begins(rest, "cookie") || begins(rest, "credential") || begins(rest, "cardnumber")
                        || isPart(rest, "card") || isPart(rest, "cards") || isPart(rest, "cvv") || isPart(rest, "cvc")
                        || isPart(rest, "csrf")
                case UInt8(ascii: "e"): begins(rest, "email") || begins(rest, "encryptionkey")
                case UInt8(ascii: "i"): isPart(rest, "iban")
                case UInt8(ascii: "j"): isPart(rest, "jwt")
                case UInt8(ascii: "o"): isPart(rest, "otp")
                case UInt8(ascii: "p"):
                    begins(rest, "password") || begins(rest, "passwd") || begins(rest, "passphrase")
                        || begins(rest, "passcode") || begins(rest, "privatekey") || begins(rest, "phonenumber")
                        || isPart(rest, "pan") || isPart(rest, "pin") || isPart(rest, "pwd") || isPart(rest, "phone")
                        || isPart(rest, "phones")
                case UInt8(ascii: "s"):
                    begins(rest, "secret") || begins(rest, "signature") || begins(rest, "signingkey")
                        || begins(rest, "sessionid") || isPart(rest, "ssn")
                case UInt8(ascii: "t"): begins(rest, "token") || begins(rest, "telephone") || isPart(rest, "totp")
                case UInt8(ascii: "x"): isPart(rest, "xsrf")
                default: false
                }
            if isFound { return true }
        }
        return false
    }

    /// Whether the letters begin with a word that makes a name sensitive wherever it stands: within one part
    /// (`accesstoken`), or from the beginning of one over those that follow (`api-key`). Not across the end of the part
    /// in which it begins: `service_mail` names no e-mail address.
    private static func begins(_ letters: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
        guard letters.count >= word.utf8CodeUnitCount else { return false }
        let mayCross = letters[0] >= start
        for index in 0..<word.utf8CodeUnitCount {
            let letter = letters[index]
            if letter & ~start != word.utf8Start[index] || index > 0 && letter >= start && !mayCross { return false }
        }
        return true
    }

    /// Whether the letters begin with a word that makes a name sensitive only as a whole part, because it is in harmless
    /// ones (`card` of `discarded`).
    private static func isPart(_ letters: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard letters[0] >= start, letters.count >= length, letters.count == length || letters[length] >= start else {
            return false
        }
        for index in 0..<length where letters[index] & ~(index == 0 ? start : 0) != word.utf8Start[index] {
            return false
        }
        return true
    }
}
