internal import Glibc
internal import LocalStack

/// How drills went, as a table for people.
package struct DrillReport: Sendable {
    package let results: [DrillResult]
    private let divisor: Double

    package init(results: [DrillResult], divisor: Double) {
        self.results = results.sorted { $0.alert < $1.alert }
        self.divisor = divisor
    }

    /// Markdown.
    package var table: String {
        var text = "| alert | fault | fires at Alertmanager | arrives at notifications | over | |\n"
        text += "| --- | --- | ---: | ---: | ---: | --- |\n"
        for result in results {
            text +=
                "| \(result.alert) | \(result.cause) | \(Self.seconds(result.firedSeconds)) | "
                + "\(Self.seconds(result.toldSeconds)) | \(Self.seconds(result.resolvedSeconds)) | "
                + "\(result.problem ?? "ok") |\n"
        }
        return text
    }

    private static func seconds(_ value: Double?) -> String {
        guard let value else { return "-" }
        return "\(Int(value.rounded())) s"
    }

    private static let start = "<!-- Written by 'vitrine drill all --record'. -->"
    private static let end = "<!-- End of what 'vitrine drill' writes. -->"

    /// Puts the table into the part of a document that people write, in the place of an older one.
    /// - Throws: `LocalStackError` when the file cannot be read or written.
    package func record(in path: String) throws {
        let text = try LocalFolder.text(of: path)
        let factor = divisor == divisor.rounded() ? "\(Int(divisor))" : "\(divisor)"
        let section = """
            \(Self.start)
            ## Drills

            `vitrine drill all` brought each fault about on a platform of its own, with windows \(factor) times shorter than in
            production and the same expressions. Times are from the fault to the alert, and from its end to the message that
            it is over; in production the windows of the rule come on top.

            \(table)\(Self.end)
            """
        let before = text.firstRange(of: Self.start).map { String(text[..<$0.lowerBound]) } ?? text + "\n"
        let after = text.firstRange(of: Self.end).map { String(text[$0.upperBound...]) } ?? "\n"
        try LocalFolder.replace(path, with: before + section + after)
    }
}
