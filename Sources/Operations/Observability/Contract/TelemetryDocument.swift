internal import ServiceKit
internal import Telemetry

/// `docs/telemetry.md`: everything that the platform may emit, from the declarations. Parts that several services are
/// built from are described once; each service lists which of them it has.
struct TelemetryDocument {
    let services: [ServiceDefinition]

    var file: RenderedFile { RenderedFile("docs/telemetry.md", text) }

    private var text: String {
        let shared = sharedScopes
        var text = """
            # Telemetry

            Every metric, span and log event that the platform may emit. Rendered by `vitrine render` from the
            declarations beside the code: do not edit. Tests fail on telemetry that is not listed here;
            [telemetry-guide.md](telemetry-guide.md) shows how to add to it.

            Spans: `{…}` in a name stands for any text; `error.type` may be on every span that failed. Log lines are ECS
            JSON; every line may carry \(LogEvent.commonFields.sorted().map(Self.code).joined(separator: ", ")).

            ## Services


            """
        text += Markdown.table(
            ["service", "port", "own names", "built from"],
            services.map { service in
                let contract = service.contract
                let own = contract.scopes.first?.declarations ?? TelemetryDeclarations()
                return [
                    "[\(service.name)](#\(Markdown.anchor(service.name)))", "\(service.port)",
                    "\(own.metrics.count) metrics, \(own.spans.count) spans, \(own.events.count) events",
                    contract.scopes.dropFirst().map { "[\($0.name)](#\(Markdown.anchor($0.name)))" }
                        .joined(separator: ", "),
                ]
            })
        for service in services {
            text += "\n## \(service.name)\n\n\(Self.capitalized(service.summary)).\n"
            text += Self.section(service.contract.scopes[0].declarations)
        }
        text += "\n# Parts that services share\n"
        for scope in shared {
            text += "\n## \(scope.name)\n" + Self.section(scope.declarations)
        }
        return text
    }

    private var sharedScopes: [TelemetryContract.Scope] {
        var known: Set<String> = []
        return services.flatMap { $0.contract.scopes.dropFirst() }.filter { known.insert($0.name).inserted }
    }

    private static func section(_ declarations: TelemetryDeclarations) -> String {
        var text = ""
        if declarations.isEmpty { text += "\nNothing beyond the parts it is built from.\n" }
        if !declarations.metrics.isEmpty {
            text +=
                "\n"
                + Markdown.table(
                    ["metric", "type", "unit", "labels", "what it tells"],
                    declarations.metrics.sorted { $0.name < $1.name }.map(row))
        }
        if !declarations.spans.isEmpty {
            text +=
                "\n"
                + Markdown.table(
                    ["span", "kind", "attributes", "what it times"],
                    declarations.spans.map { span in
                        [
                            code(span.name), "\(span.kind)",
                            span.attributes.map { code($0.name) }.joined(separator: " "),
                            span.help,
                        ]
                    })
        }
        if !declarations.events.isEmpty {
            text +=
                "\n"
                + Markdown.table(
                    ["log event", "level", "what it says"],
                    declarations.events.map { [code($0.name), $0.level.name, $0.help] })
        }
        if !declarations.fields.isEmpty, !declarations.events.isEmpty {
            text +=
                "\nFields of these lines: " + declarations.fields.map { code($0.name) }.joined(separator: ", ")
                + ".\n"
        }
        return text
    }

    private static func row(_ metric: MetricDeclaration) -> [String] {
        var help = metric.help
        if !metric.buckets.isEmpty {
            help += " Buckets: \(metric.buckets.map(number).joined(separator: ", "))."
        }
        return [
            code(metric.name), metric.kind.rawValue, metric.unit.rawValue,
            metric.labels.map(code).joined(separator: " "),
            help,
        ]
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }

    private static func code(_ text: String) -> String { "`\(text)`" }

    private static func capitalized(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}
