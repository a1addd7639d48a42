import Demo
import EventLoop
import FoundationEssentials
import Load
import LocalStack

extension Command {
    /// Realistic shopping at a rate that does not wait for the platform.
    static let load = Command(
        name: "load", synopsis: "[OPTIONS]",
        summary:
            "Put realistic shopping on the running platform: arrivals do not wait for answers; prints percentiles.",
        options: [
            Option(name: "folder", value: "PATH", help: "of the running platform (default .vitrine)"),
            Option(name: "gateway", value: "URL", help: "of a platform that runs elsewhere"),
            Option(name: "rate", value: "N", help: "sessions that begin a second, 0.1 to 1000 (default 10)"),
            Option(name: "seconds", value: "N", help: "how long sessions begin, 1 to 86400 (default 30)"),
            Option(name: "seed", value: "N", help: "the same seed repeats the same shopping (default 1)"),
            Option(name: "shoppers", value: "N", help: "accounts that take turns, 1 to 1000 (default 20)"),
            Option(name: "pause", value: "MS", help: "mean pause between steps, 0 to 60000 (default 200)"),
            Option(name: "categories", value: "A,B", help: "what shoppers look at (default: the demo catalog's)"),
            Option(name: "json", value: "PATH", help: "save the figures there as well"),
        ]
    ) { arguments in
        let plan = try arguments.loadPlan()
        guard
            let gateway = arguments.options["gateway"]
                ?? LocalFolder.endpoints(in: arguments.options["folder"] ?? ".vitrine")["GATEWAY_URL"]
        else { throw LocalStackError("nothing runs here: start the platform with 'vitrine up', or name a --gateway") }
        let group = EventLoopGroup(count: 1)
        defer { group.shutdown() }
        let runner = LoadRunner(plan, gateway: gateway, group: group)
        let categories = arguments.options["categories"]?.split(separator: ",").map(String.init)
        let report = try await runLoad(runner, plan, categories ?? DemoCatalog.categoryNames)
        await runner.close()
        Terminal.standard.line(report.text)
        if let path = arguments.options["json"] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try Data(encoder.encode(report.document)).write(to: URL(filePath: path))
        }
        return report.isClean ? 0 : 1
    }
}

/// Runs the load while telling how it goes: on one line that changes, or a line every ten seconds in a pipe.
private func runLoad(_ runner: LoadRunner, _ plan: LoadPlan, _ categories: [String]) async throws -> LoadReport {
    let terminal = Terminal.errors
    let isInteractive = terminal.isInteractive
    @Sendable func tell(_ text: String) {
        if isInteractive { terminal.write("\r\u{1B}[K" + text) } else { terminal.line(text) }
    }
    try await runner.signIn { number in
        if isInteractive || number == plan.shoppers { tell("signed in \(number) of \(plan.shoppers) shoppers") }
    }
    let start = Terminal.seconds()
    let teller = Task {
        var second = 0
        while !Task.isCancelled {
            try await Task.sleep(nanoseconds: 1_000_000_000)
            second += 1
            guard isInteractive || second.isMultiple(of: 10) else { continue }
            tell(LoadReport.progress(runner.tally.snapshot, second: second, of: plan.seconds))
        }
    }
    defer {
        teller.cancel()
        if isInteractive { terminal.write("\r\u{1B}[K") }
    }
    try await runner.run(categories: categories)
    return LoadReport(plan, runner.tally.snapshot, seconds: Terminal.seconds() - start)
}

extension Arguments {
    /// - Throws: `UsageError` that names the option and its range.
    fileprivate func loadPlan() throws -> LoadPlan {
        var plan = LoadPlan()
        plan.sessionsPerSecond = try number("rate", default: plan.sessionsPerSecond, in: 0.1...1_000)
        plan.seconds = Int(try number("seconds", default: Double(plan.seconds), in: 1...86_400))
        plan.shoppers = Int(try number("shoppers", default: Double(plan.shoppers), in: 1...1_000))
        plan.pauseMilliseconds = Int(try number("pause", default: Double(plan.pauseMilliseconds), in: 0...60_000))
        if let text = options["seed"] {
            guard let seed = UInt64(text) else { throw UsageError("--seed takes a whole number") }
            plan.seed = seed
        }
        return plan
    }

    private func number(_ name: String, default value: Double, in range: ClosedRange<Double>) throws -> Double {
        guard let text = options[name] else { return value }
        guard let number = Double(text), range.contains(number) else {
            throw UsageError("--\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
