import HTTPCodec
import Testing

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (-62_167_219_200, "Sat, 01 Jan 0000 00:00:00 GMT"),
    ])
    func writesAndReadsTheFixedForm(_ seconds: Int64, _ text: String) {
        #expect(String(decoding: HTTPDate.format(secondsSince1970: seconds), as: UTF8.self) == text)
        #expect(HTTPDate.parse(text) == seconds)
    }

    @Test func readsTheObsoleteForms() {
        #expect(HTTPDate.parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
        #expect(HTTPDate.parse("Sun Nov  6 08:49:37 1994") == 784_111_777)
        #expect(HTTPDate.parse("Tuesday, 29-Feb-00 00:00:00 GMT") == 951_782_400)
    }

    @Test(arguments: [
        "", "x", "120", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov +994 08:49:37 GMT",
        "Mon, 29 Feb 1900 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT x", "Sunday, 06-Nov-1994 08:49:37 GMT",
    ])
    func readsNothingElse(_ text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test func clampsToFourDigitYears() {
        #expect(HTTPDate.format(secondsSince1970: .max) == HTTPDate.format(secondsSince1970: 253_402_300_799))
        #expect(HTTPDate.format(secondsSince1970: .min).count == 29)
    }

    @Test func daysOfEightCenturiesReadBack() {
        var mismatches = 0
        for day in stride(from: Int64(-141_428), to: 141_428, by: 11) {
            let text = String(decoding: HTTPDate.format(secondsSince1970: day * 86_400 + 43_200), as: UTF8.self)
            if HTTPDate.parse(text) != day * 86_400 + 43_200 { mismatches += 1 }
        }
        #expect(mismatches == 0)
    }
}
