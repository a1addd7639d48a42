import FoundationEssentials
import Testing
import Values

@Suite struct MoneyTests {
    @Test(arguments: [("12", 1200), ("12.5", 1250), ("-0.01", -1), ("0", 0), ("999999999999.99", 99_999_999_999_999)])
    func readsDecimals(_ text: String, _ cents: Int64) { #expect(Money(text)?.cents == cents) }

    @Test(arguments: ["", "-", ".5", "1.", "1.234", "1e3", "1,5", " 1", "NaN", "1.2.3", "99999999999999999"])
    func refusesWhatIsNotAnAmount(_ text: String) { #expect(Money(text) == nil) }

    @Test func isExactInJSON() throws {
        for cents: Int64 in [0, 1, 10, 99, 100, 1999, 29_99, 1_000_000_01, 99_999_999_999_999, -5] {
            let money = Money(cents: cents)
            let json = try JSONEncoder().encode([money])
            #expect(try JSONDecoder().decode([Money].self, from: json) == [money])
        }
        let sum = try JSONDecoder().decode([Money].self, from: Data("[0.1, 0.2, 19.99]".utf8)).reduce(.zero, +)
        #expect(sum.description == "20.29")
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Money].self, from: Data("[0.001]".utf8)) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Money].self, from: Data(#"["1"]"#.utf8)) }
    }

    @Test func comesBackAsItWasWritten() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let bound = Int64(1) << Int64.random(in: 1...46, using: &generator)
            let money = Money(cents: Int64.random(in: -bound...bound, using: &generator))
            #expect(Money(money.description) == money)
        }
    }

    @Test func jsonIsWhatOtherReadersTake() throws {
        let json = try JSONEncoder().encode([Money(cents: 1250), Money(cents: -1), .maximum])
        #expect(String(decoding: json, as: UTF8.self) == "[12.5,-0.01,999999999999.99]")
        // Beyond what is read there is still no rounding.
        let huge = try JSONEncoder().encode([Money(cents: .max), Money(cents: .min)])
        #expect(String(decoding: huge, as: UTF8.self) == "[92233720368547758.07,-92233720368547758.08]")
        for text in ["12.50", "12.5", "1.25e1", "1250e-2"] {
            #expect(try JSONDecoder().decode([Money].self, from: Data("[\(text)]".utf8)) == [Money(cents: 1250)])
        }
        for text in ["1000000000000", "1e30", "12.505", "true", "null", "1e-3"] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([Money].self, from: Data("[\(text)]".utf8))
            }
        }
    }

    @Test func everyCentSurvivesJSON() throws {
        var amounts = (0..<5000).map { _ in
            Money(cents: Int64.random(in: -Money.maximum.cents...Money.maximum.cents))
        }
        amounts += (-1000...1000).map { Money(cents: $0) }
        amounts += (0..<1000).map { Money(cents: Money.maximum.cents - $0) }
        let json = try JSONEncoder().encode(amounts)
        #expect(try JSONDecoder().decode([Money].self, from: json) == amounts)
        let texts = String(decoding: json, as: UTF8.self).dropFirst().dropLast().split(separator: ",")
        #expect(texts.map { Money($0) } == amounts)
    }

    @Test func arithmeticDoesNotOverflowInSilence() {
        #expect(Money.maximum.adding(Money(cents: 1)) == nil)
        #expect(Money(cents: 100).multiplied(by: .max) == nil)
        #expect(Money("2.50")?.multiplied(by: 3)?.description == "7.50")
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2024-02-29T12:30:15.25Z", 1_709_209_815_250_000),
        ("2024-02-29 12:30:15.25+00", 1_709_209_815_250_000), ("2024-02-29T14:30:15.25+02:00", 1_709_209_815_250_000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ])
    func readsBothForms(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(arguments: ["", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01", "x"])
    func refusesWhatIsNotATime(_ text: String) { #expect(Timestamp(text) == nil) }

    @Test func comesBackAsItWasWritten() {
        for microseconds: Int64 in [0, -1, 1, 1_709_209_815_250_000, 253_402_300_799_999_999, -2_208_988_800_000_000] {
            let time = Timestamp(microseconds: microseconds)
            #expect(Timestamp(time.description) == time)
        }
        #expect(Timestamp(microseconds: 1_709_209_815_250_000).description == "2024-02-29T12:30:15.250000Z")
        for _ in 0..<10_000 {
            let time = Timestamp(microseconds: Int64.random(in: -62_167_219_200_000_000...253_402_300_799_999_999))
            #expect(Timestamp(time.description) == time)
        }
        #expect(Timestamp(microseconds: .min).description == "0000-01-01T00:00:00.000000Z")
        #expect(Timestamp(microseconds: .max).description == "9999-12-31T23:59:59.999999Z")
    }
}

@Suite struct IdentifierTests {
    @Test func isARandomUUID() {
        let ids = Set((0..<1000).map { _ in Identifier.make() })
        #expect(ids.count == 1000)
        for id in ids {
            #expect(Identifier.normalized(id) == id)
            #expect(id.dropFirst(14).first == "4")
            #expect("89ab".contains(id.dropFirst(19).first ?? "x"))
        }
        #expect(Identifier.normalized("not-a-uuid") == nil)
        #expect(Identifier.normalized("6BA7B810-9DAD-11D1-80B4-00C04FD430C8") == "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    }
}

@Suite struct BoundedCacheTests {
    @Test func neverHoldsMoreThanItsCapacity() {
        var cache = BoundedCache<Int, Int>(capacity: 10)
        for number in 0..<1000 {
            cache[number] = number
            #expect(cache.count <= 10)
            let value = cache[number]
            #expect(value == number)
        }
    }

    @Test func whatIsAskedForStays() {
        var cache = BoundedCache<Int, String>(capacity: 4)
        cache[0] = "kept"
        for number in 1..<100 {
            cache[number] = ""
            let value = cache[0]
            #expect(value == "kept")
        }
    }

    @Test func whatIsRemovedOrReplacedIsGone() {
        var cache = BoundedCache<Int, Int>(capacity: 4)
        for number in 0..<3 { cache[number] = 1 }
        for number in 0..<3 { cache[number] = 2 }
        let values = (0..<3).map { cache[$0] }
        #expect(values.allSatisfy { $0 == 2 || $0 == nil })
        cache[2] = nil
        let removed = cache[2]
        #expect(removed == nil)
    }
}
