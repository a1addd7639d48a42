/// Dates of HTTP (RFC 9110, section 5.6.7): written as IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`; read in that form
/// and in the two obsolete ones that a recipient must take.
package enum HTTPDate {
    private static let days: [[UInt8]] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"].map { Array($0.utf8) }
    private static let months: [[UInt8]] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ].map { Array($0.utf8) }
    /// The years that four digits can tell, in seconds since 1970.
    private static let bounds: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

    /// - Parameter seconds: outside the years 0 to 9999 the nearest date of those.
    package static func format(secondsSince1970 seconds: Int64) -> [UInt8] {
        let seconds = min(max(seconds, bounds.lowerBound), bounds.upperBound)
        let day = seconds.floorDivided(by: 86_400)
        let time = Int(seconds - day * 86_400)
        let date = civil(day)
        var output: [UInt8] = []
        output.reserveCapacity(29)
        output += days[Int(day - day.floorDivided(by: 7) * 7)]
        output += [0x2C, 0x20]
        appendTwo(date.day, to: &output)
        output.append(0x20)
        output += months[date.month - 1]
        output.append(0x20)
        appendTwo(date.year / 100, to: &output)
        appendTwo(date.year % 100, to: &output)
        output.append(0x20)
        appendTwo(time / 3600, to: &output)
        output.append(0x3A)
        appendTwo(time / 60 % 60, to: &output)
        output.append(0x3A)
        appendTwo(time % 60, to: &output)
        output += [0x20, 0x47, 0x4D, 0x54]
        return output
    }

    /// Seconds since 1970, or nil when the text is no date of HTTP or names a day that does not exist. The name of the
    /// weekday is not held against the date.
    package static func parse(_ text: String) -> Int64? {
        let parts = text.split(separator: " ", maxSplits: 7, omittingEmptySubsequences: true)
        switch parts.count {
        case 6 where parts[0].utf8.count == 4 && parts[0].last == "," && parts[5] == "GMT" && parts[3].utf8.count == 4:
            return seconds(year: number(parts[3]), month: parts[2], day: parts[1], time: parts[4])
        case 4 where parts[0].last == "," && parts[3] == "GMT":
            // `Sunday, 06-Nov-94 08:49:37 GMT`
            let date = parts[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, date[2].utf8.count == 2, let short = number(date[2]) else { return nil }
            return seconds(year: short < 70 ? 2000 + short : 1900 + short, month: date[1], day: date[0], time: parts[2])
        case 5 where parts[0].utf8.count == 3 && parts[4].utf8.count == 4:
            // `Sun Nov  6 08:49:37 1994`
            return seconds(year: number(parts[4]), month: parts[1], day: parts[2], time: parts[3])
        default: return nil
        }
    }

    // MARK: Parts

    private static func seconds(year: Int?, month: Substring, day: Substring, time: Substring) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard let year, let day = number(day), clock.count == 3, clock.allSatisfy({ $0.utf8.count == 2 }),
            let month = months.firstIndex(where: { $0.elementsEqual(month.utf8) }),
            let hour = number(clock[0]), let minute = number(clock[1]), let second = number(clock[2]),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        let dayNumber = dayNumber(year, month + 1, day)
        let back = civil(dayNumber)
        guard back.day == day, back.month == month + 1 else { return nil }
        return dayNumber * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// One to four digits.
    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy(ByteClass.digit.contains) else { return nil }
        return Int(text)
    }

    private static func appendTwo(_ number: Int, to output: inout [UInt8]) {
        output.append(0x30 + UInt8(number / 10))
        output.append(0x30 + UInt8(number % 10))
    }

    /// Gregorian date of a day since 1970, in 400-year eras that start in March.
    private static func civil(_ day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (
            Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0)), Int(month),
            Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        )
    }

    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let year = Int64(month <= 2 ? year - 1 : year)
        let era = year.floorDivided(by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
