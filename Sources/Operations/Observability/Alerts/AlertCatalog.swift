package import ServiceKit

/// Every rule of the platform: alerts by what they watch, and the promises with their burn rates.
package struct AlertCatalog: Sendable {
    let services: [ServiceDefinition]
    let declared: DeclaredMetrics
    let time: TimeScale

    /// - Parameter time: shortens windows for drills.
    package init(services: [ServiceDefinition], time: TimeScale = TimeScale()) {
        self.services = services
        self.time = time
        declared = DeclaredMetrics(services)
    }

    /// The promises: see `ServiceLevels`.
    var levels: ServiceLevelRules { ServiceLevelRules(levels: ServiceLevels(services: services).all, time: time) }

    /// Every file of rules, in order.
    package var files: [RuleFile] {
        [
            // Apart from the others, because it fires in every rule test that has no targets.
            RuleFile("targets", [RuleGroup("targets", alerts: targetAlerts)]),
            RuleFile("services", [RuleGroup("services", alerts: serviceAlerts), RuleGroup("jobs", alerts: jobAlerts)]),
            RuleFile(
                "data", [RuleGroup("databases", alerts: databaseAlerts), RuleGroup("redis", alerts: redisAlerts)]),
            RuleFile(
                "messaging",
                [RuleGroup("messaging", alerts: messagingAlerts), RuleGroup("tasks", alerts: taskAlerts)]),
            RuleFile(
                "business",
                [
                    RuleGroup("orders", alerts: orderAlerts), RuleGroup("identity", alerts: identityAlerts),
                    RuleGroup("notifications", alerts: notificationAlerts),
                ]),
            RuleFile("telemetry", [RuleGroup("telemetry", alerts: telemetryAlerts)]),
            levels.file,
        ]
    }

    /// Every alert, in the order of the files.
    package var alerts: [AlertRule] { files.flatMap(\.alerts) }

    /// Names of recording rules.
    var recorded: Set<String> { Set(files.flatMap(\.recordings).map(\.name)) }

    /// What is wrong with the rules, a sentence each.
    package var problems: [String] {
        let recorded = recorded
        var problems: [String] = []
        for rule in alerts {
            problems += declared.problems(of: rule.condition.expression, recorded: recorded).map {
                "alert \(rule.name): \($0)"
            }
        }
        for rule in files.flatMap(\.recordings) {
            problems += declared.problems(of: rule.expression, recorded: recorded).map { "record \(rule.name): \($0)" }
        }
        var known: Set<String> = []
        for rule in alerts where !known.insert(rule.name).inserted {
            problems.append("alert \(rule.name) is declared twice")
        }
        return problems
    }
}

extension Match {
    /// Requests of users, without probes and scrapes.
    static let userRoute = Match.notMatching(
        "/metrics|/health.*", example: "/order-api/orders/{id}", counterExample: "/health")
    /// Answers that are the service's fault.
    static let serverError = Match.matching("5..", example: "500", counterExample: "200")
    /// Any value but none.
    static let something = Match.matching(".+", example: "x", counterExample: "")
}
