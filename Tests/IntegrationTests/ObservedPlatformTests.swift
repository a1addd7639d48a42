import EventLoop
import FoundationEssentials
import HTTP
import HTTPCodec
import LocalStack
import Observability
import ServiceKit
import TelemetryTesting
import Testing
import Wiring

/// The platform under load, seen as the people on call see it: every query of every panel and rule on the real
/// Prometheus, every name and field held against what is declared, the watchdog at the real Alertmanager.
@Suite(.serialized) struct ObservedPlatformTests {
    /// Why queries over these metrics may rightly be empty on this machine after some minutes of shopping.
    private static let reasons: [String: String] = [
        "pg_": "the exporter of PostgreSQL runs in docker-compose only",
        "redis_up": "the exporter of Redis runs in docker-compose only",
        "redis_memory_": "the exporter of Redis runs in docker-compose only",
        "redis_keyspace_": "the exporter of Redis runs in docker-compose only",
        "redis_commands_processed_total": "the exporter of Redis runs in docker-compose only",
        "redis_db_keys": "the exporter of Redis runs in docker-compose only",
        "redis_evicted_keys_total": "the exporter of Redis runs in docker-compose only",
        "redis_connected_clients": "the exporter of Redis runs in docker-compose only",
        "alertmanager_": "Alertmanager is not scraped by 'vitrine up'",
        "ALERTS": "nothing fires",
        "telemetry_logstash_": "there is no Logstash",
        "otel_sdk_exporter_": "there is no collector",
        "otel_sdk_processor_": "there is no collector",
        "telemetry_export_spool_bytes": "there is no collector",
        "consul_": "there is no Consul",
        "discovery_": "there is no Consul",
        "gateway_upstream_errors_total": "no service failed",
        "gateway_retries_total": "no service failed",
        "gateway_breaker_refusals_total": "no service failed",
        "outbox_unroutable_total": "every event has a queue",
        "outbox_publish_failures_total": "the broker did not fail",
        "outbox_published_total": "this service publishes nothing",
        "messaging_client_consumed_messages_total": "this service consumes nothing",
        "messaging_process_duration_seconds": "this service consumes nothing",
        "inbox_duplicates_total": "this service consumes nothing",
        "message_retries_total": "this service consumes nothing",
        "message_dead_letters_total": "this service consumes nothing",
        "http_client_request_duration_seconds": "this service calls no other",
        "service_client_breaker_open": "this service calls no other",
        "service_client_refusals_total": "this service calls no other",
        "job_": "this service has no jobs",
        "slo:budget_left:ratio": "nobody asked this service for anything yet",
        "payment_amount_cents_total": "nothing was refunded",
    ]
    /// Panels that are rightly empty for a reason of their own.
    private static let emptyPanels: Set<String> = ["statements that fail"]
    /// Asked by nobody in this shopping, or by other services through events only.
    private static let quietServices = ["processor", "purchase"]

    @Test(.timeLimit(.minutes(6)))
    func whatPeopleLookAtIsThere() async throws {
        try await withFolder { folder in
            let platform = try ChildProcess(
                name: "vitrine up", [Package.executable, "up", "--folder", folder + "/run", "--free-ports"],
                environment: ["USERS_BCRYPT_COST": "4"], folder: folder, logPath: folder + "/up.log")
            _ = try await eventually(seconds: 120, "the table of URLs") {
                try Command.run(["grep", "-q", "ready after", folder + "/up.log"]).status == 0 ? true : nil
            }
            let demo = try Command.run([Package.executable, "demo", "--folder", folder + "/run"])
            #expect(demo.status == 0, "\(demo.output)")
            let load = try Command.run([
                Package.executable, "load", "--folder", folder + "/run", "--rate", "2", "--seconds", "45",
            ])
            #expect(load.status == 0, "\(load.output)")

            let group = EventLoopGroup(count: 1)
            let http = HTTPClient(group: group, telemetry: nil)
            let endpoints = LocalFolder.endpoints(in: folder + "/run")
            let prometheus = Caller(url: try #require(endpoints["PROMETHEUS_URL"]), http: http)
            try await checkRules(prometheus)
            try await checkQueries(prometheus)
            try await checkWatchdog(Caller(url: try #require(endpoints["ALERTMANAGER_URL"]), http: http))
            try await checkWebhook(endpoints, http)
            for service in ServiceTable.all {
                let url = try #require(endpoints[service.name.uppercased() + "_URL"])
                let page = try await Caller(url: url, http: http).send(.get, "/metrics")
                let text = String(decoding: page.body, as: UTF8.self)
                #expect(service.contract.violations(inExposition: text) == [], "\(service.name)")
                ContractCoverage.note(service.contract, exposition: text)
            }
            try checkLogs(folder + "/run/logs/vitrine.log")
            await http.shutdown()
            platform.stop(timeoutMilliseconds: 40_000)
            group.shutdown()
        }
    }

    // MARK: Queries

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Series: Decodable {}
            let result: [Series]
        }
        let data: Data
    }

    private func checkQueries(_ prometheus: Caller) async throws {
        var asked = 0
        for dashboard in DashboardCatalog(services: ServiceTable.all).all {
            for panel in dashboard.panels {
                for query in panel.queries {
                    let text = Self.concrete(query.expression.text)
                    asked += 1
                    let isEmpty = try await isEmpty(text, prometheus)
                    if !isEmpty || Self.mayBeEmpty(dashboard, panel, query.expression.metrics) { continue }
                    // Rules of long windows are evaluated every other minute.
                    _ = try await eventually(seconds: 150, "\(dashboard.uid), '\(panel.title)': data of \(text)") {
                        try await self.isEmpty(text, prometheus) ? nil : true
                    }
                }
            }
        }
        #expect(asked > 400)
    }

    private func isEmpty(_ query: String, _ prometheus: Caller) async throws -> Bool {
        let answer = try await prometheus.send(.get, "/api/v1/query?query=" + Self.encoded(query))
        try #require(answer.status == 200, "Prometheus refuses \(query)")
        return try answer.decode(Answer.self).data.result.isEmpty
    }

    private static func mayBeEmpty(_ dashboard: Dashboard, _ panel: Panel, _ metrics: Set<String>) -> Bool {
        if emptyPanels.contains(panel.title) { return true }
        if quietServices.contains(where: { dashboard.uid.hasSuffix("-" + $0) }),
            metrics.contains(where: { $0.hasPrefix("http_") })
        {
            return true
        }
        return metrics.contains { metric in reasons.keys.contains { metric.hasPrefix($0) } }
    }

    /// What Grafana would put in place of its variables.
    private static func concrete(_ text: String) -> String {
        var result = text
        for (variable, value) in [("$__rate_interval", "2m"), ("$service", ".*")] {
            while let range = result.firstRange(of: variable) { result.replaceSubrange(range, with: value) }
        }
        return result
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            if isPlain { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    // MARK: Rules

    private struct Rules: Decodable {
        struct Data: Decodable {
            struct Group: Decodable {
                struct Rule: Decodable {
                    let name: String
                    let health: String
                }
                let rules: [Rule]
            }
            let groups: [Group]
        }
        let data: Data
    }

    private func checkRules(_ prometheus: Caller) async throws {
        // Long windows are evaluated every other minute.
        let rules = try await eventually(seconds: 200, "the first evaluation of every rule") {
            let groups = try await prometheus.send(.get, "/api/v1/rules").decode(Rules.self).data.groups
            let rules = groups.flatMap(\.rules)
            return rules.contains { $0.health == "unknown" } ? nil : rules
        }
        let declared = AlertCatalog(services: ServiceTable.all).files
        #expect(rules.count == declared.map { $0.alerts.count + $0.recordings.count }.reduce(0, +))
        for rule in rules { #expect(rule.health == "ok", "\(rule.name) is \(rule.health)") }
    }

    /// An alert goes the whole way from a rule to Alertmanager.
    private func checkWatchdog(_ alertmanager: Caller) async throws {
        struct Alert: Decodable {
            struct Labels: Decodable {
                let alertname: String
                let severity: String
            }
            let labels: Labels
            let annotations: [String: String]
        }
        let alerts = try await eventually(seconds: 60, "the watchdog") { () -> [Alert]? in
            let alerts = try await alertmanager.send(.get, "/api/v2/alerts").decode([Alert].self)
            return alerts.contains { $0.labels.alertname == "Watchdog" } ? alerts : nil
        }
        // Whatever else a slow machine may cause: the data stay sound.
        for name in ["InvariantViolated", "StockContradiction", "PaymentContradiction"] {
            #expect(!alerts.contains { $0.labels.alertname == name }, "\(name)")
        }
        for alert in alerts {
            // A template that cannot be expanded says so in its text.
            #expect(alert.annotations.values.allSatisfy { !$0.contains("error expanding") }, "\(alert.labels)")
            #expect(alert.annotations["runbook_url"]?.hasSuffix("/\(alert.labels.alertname).md") == true)
        }
    }

    /// And from Alertmanager to notifications, where administrators find it.
    private func checkWebhook(_ endpoints: [String: String], _ http: HTTPClient) async throws {
        struct Page: Decodable {
            struct Item: Decodable { let status: String }
            let items: [Item]
        }
        let gateway = Caller(url: try #require(endpoints["GATEWAY_URL"]), http: http)
        let token = try await gateway.token(
            try #require(endpoints["USERS_ADMIN_EMAIL"]), try #require(endpoints["USERS_ADMIN_PASSWORD"]))
        let notifications = Caller(url: try #require(endpoints["NOTIFICATIONS_URL"]), http: http)
        let page = try await eventually(seconds: 120, "the watchdog at notifications") { () -> Page? in
            let page = try await notifications.send(.get, "/api/v1/alerts?name=Watchdog", token: token).decode(
                Page.self)
            return page.items.isEmpty ? nil : page
        }
        #expect(page.items.first?.status == "firing")
    }

    // MARK: Logs

    /// A value of a line, as far as its type goes.
    private enum Value: Decodable {
        case number, text, other
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if (try? container.decode(Double.self)) != nil {
                self = .number
            } else if (try? container.decode(String.self)) != nil {
                self = .text
            } else {
                self = .other
            }
        }
    }

    /// Every line is declared by some service, and of the types that Elasticsearch is told.
    private func checkLogs(_ path: String) throws {
        let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        let mapped = Set(LogMapping(services: ServiceTable.all).fields)
        let contracts = Dictionary(uniqueKeysWithValues: ServiceTable.all.map { ($0.name, $0.contract) })
        var violations: Set<String> = []
        var count = 0
        for line in text.split(separator: "\n") {
            let fields = try JSONDecoder().decode([String: Value].self, from: Data(line.utf8))
            for (name, value) in fields {
                if !mapped.contains(name) { violations.insert("\(name) is not mapped") }
                let isNumber = LogMapping.type(of: name) == "long"
                if case .number = value, !isNumber { violations.insert("\(name) is a number") }
                if case .text = value, isNumber { violations.insert("\(name) is a text") }
            }
            // The pipeline's own lines are named after no service; every contract has its events.
            let service = contracts.first { line.contains("\"service.name\":\"\($0.key)\"") }?.value
            violations.formUnion((service ?? ServiceTable.all[0].contract).violations(inLogLine: String(line)))
            count += 1
        }
        #expect(violations == [])
        #expect(count > 500)
    }
}
