import HTTP
import HTTPCodec
import LocalStack
import PostgreSQL
import ServiceKit
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing

/// Faults on purpose: there is nothing to switch unless the configuration says so, and what is switched off is gone.
@Suite struct FaultTests {
    private static let service = ServiceDefinition(
        name: "frail", summary: "is made to fail", port: 0, database: "frail_db"
    ) { app in
        app.routes("/things") { routes in
            routes.get("/one", .open) { _ in HTTPResponse(status: .noContent) }
            routes.get("/rows", .open) { _ in
                try await app.database.query("SELECT 1", "SELECT 1")
                return HTTPResponse(status: .noContent)
            }
        }
        app.every(milliseconds: 20, "chore") {}
    }

    private func running(_ body: (Deployment) async throws -> Void) async throws {
        try await Deployment.run([Self.service], values: ["VITRINE_FAULTS": "enabled"], body)
    }

    private func turn(_ deployment: Deployment, _ fault: String, _ json: String?) async throws {
        let reply = try await deployment.send(
            "frail", json == nil ? .delete : .put, "/admin/faults/\(fault)", headers: [Deployment.bearer(["admin"])],
            json: json)
        try #require(reply.status == 200, "\(reply.text)")
    }

    private func status(_ deployment: Deployment, _ path: String) async throws -> Int {
        try await deployment.send("frail", .get, path).status
    }

    @Test func thereIsNothingToSwitchUnlessItIsEnabled() async throws {
        try await Deployment.run([Self.service]) { deployment in
            for method in [HTTPMethod.get, .put] {
                let reply = try await deployment.send(
                    "frail", method, "/admin/faults/errors", headers: [Deployment.bearer(["admin"])],
                    json: method == .put ? "{}" : nil)
                #expect(reply.status == 404)
            }
        }
    }

    @Test func onlyAdministratorsSwitchAndOnlyWhatIsThere() async throws {
        try await running { deployment in
            for (fault, roles, json, status) in [
                ("errors", ["user"], #"{"amount":1}"#, 403), ("nonsense", ["admin"], #"{"amount":1}"#, 404),
                ("errors", ["admin"], #"{"amount":-1}"#, 422), ("errors", ["admin"], "{", 400),
            ] {
                let reply = try await deployment.send(
                    "frail", .put, "/admin/faults/\(fault)", headers: [Deployment.bearer(roles)], json: json)
                #expect(reply.status == status)
            }
            let one = try await status(deployment, "/things/one")
            #expect(one == 204)
        }
    }

    @Test func requestsFailWhereTheyShouldUntilItIsOver() async throws {
        try await running { deployment in
            try await turn(deployment, "errors", #"{"amount":1,"only":"/things/one"}"#)
            let failing = try await status(deployment, "/things/one")
            #expect(failing == 500)
            // Others, probes and the switches themselves go on.
            for path in ["/things/rows", "/health/live", "/metrics"] {
                let other = try await status(deployment, path)
                #expect(other < 300, "\(path)")
            }
            let capture = try deployment.capture("frail")
            #expect(capture.value(#"fault_active{fault="errors"}"#) == 1)
            #expect(capture.logLines.contains { $0.contains("fault.switched") })
            try await turn(deployment, "errors", nil)
            let mended = try await status(deployment, "/things/one")
            #expect(mended == 204)
            #expect(capture.value(#"fault_active{fault="errors"}"#) == 0)
        }
    }

    @Test func jobsFailUntilItIsOver() async throws {
        try await running { deployment in
            let capture = try deployment.capture("frail")
            try await turn(deployment, "failing-jobs", #"{"amount":1,"only":"chore"}"#)
            let failures = #"job_runs_total{job="chore",outcome="failure"}"#
            #expect(await eventually { (capture.value(failures) ?? 0) >= 2 })
            try await turn(deployment, "failing-jobs", nil)
            let successes = #"job_runs_total{job="chore",outcome="success"}"#
            let before = capture.value(successes) ?? 0
            #expect(await eventually { (capture.value(successes) ?? 0) > before })
        }
    }

    @Test func everyConnectionIsTakenAndComesBack() async throws {
        try await running { deployment in
            let capture = try deployment.capture("frail")
            func used() -> Double? {
                capture.sum("db_client_connection_count", ("db_client_connection_state", "used"))
            }
            let most = capture.sum("db_client_connection_max") ?? 0
            #expect(most > 0)
            try await turn(deployment, "busy-pool", #"{"amount":1}"#)
            #expect(await eventually { used() == most })
            try await turn(deployment, "busy-pool", nil)
            #expect(await eventually { used() == 0 })
            let rows = try await status(deployment, "/things/rows")
            #expect(rows == 204)
        }
    }

    @Test func aFloodOfLabelsIsCountedAsMisuse() async throws {
        try await running { deployment in
            let capture = try deployment.capture("frail")
            let overflow = #"telemetry_metric_misuse_total{reason="overflow"}"#
            #expect((capture.value(overflow) ?? 0) == 0)
            try await turn(deployment, "labels", #"{"amount":2100}"#)
            #expect(await eventually { (capture.value(overflow) ?? 0) > 0 })
        }
    }
}
