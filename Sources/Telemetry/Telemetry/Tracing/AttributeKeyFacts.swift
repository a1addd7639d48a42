internal import Synchronization

/// What is known of the name of an attribute; one for each name, for as long as the process lives.
struct AttributeKeyFacts {
    let name: String
    let fingerprint: UInt32
    let traits: AttributeKey.Traits
    /// `,"name":` as a log line has it.
    let logText: UnsafeBufferPointer<UInt8>

    /// The name's bytes.
    @inline(__always)
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: logText[Self.beforeName..<(logText.count - Self.afterName)])
    }

    private static let beforeName = 2
    private static let afterName = 2

    private init(_ name: String) {
        self.name = name
        // FNV-1a.
        fingerprint = name.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        traits = AttributeKey.Traits(of: name)
        let text = Array(",\"\(name)\":".utf8)
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.count)
        _ = copy.initialize(from: text)
        logText = UnsafeBufferPointer(copy)
    }

    // MARK: All names

    /// Safety (`@unchecked Sendable`): the pointers are to what never changes.
    private struct Names: @unchecked Sendable {
        var known: [String: UnsafePointer<AttributeKeyFacts>] = [:]
    }

    private static let names = Mutex(Names())
    /// Names are written in the source; whoever makes them of what comes from outside gets one name for all the rest.
    private static let maxNames = 16_384
    private static let overflow = "labels.attribute_overflow"

    static func of(_ name: String) -> UnsafePointer<AttributeKeyFacts> {
        names.withLock { names in
            if let known = names.known[name] { return known }
            let name = names.known.count < maxNames ? name : overflow
            if let known = names.known[name] { return known }
            let facts = UnsafeMutablePointer<AttributeKeyFacts>.allocate(capacity: 1)
            facts.initialize(to: AttributeKeyFacts(name))
            names.known[name] = UnsafePointer(facts)
            return UnsafePointer(facts)
        }
    }
}
