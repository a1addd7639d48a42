internal import HTTP
internal import HTTPCodec
internal import Telemetry

/// What every service answers about itself: `/health`, `/health/live`, `/health/ready`, `/metrics`.
struct HealthRoutes: Sendable {
    let service: String
    let version: String
    let checks: HealthChecks
    let metrics: MetricsEndpoint

    /// The routes that the service has not declared itself.
    func routes(besides declared: [Route]) -> [Route] {
        let all = [
            route("/health") { _ in await summary() },
            route("/health/live") { _ in live() },
            route("/health/ready") { _ in await ready() },
            route("/metrics") { request in
                await metrics.respond(
                    accept: request.header("accept"), acceptEncoding: request.header("accept-encoding"))
            },
        ]
        return all.filter { route in
            !declared.contains { $0.method == route.method && $0.template == route.template }
        }
    }

    private func route(_ path: String, _ handler: @escaping RouteGroup.Handler) -> Route {
        Route(method: .get, template: path, access: .open, shape: .problem, isQuiet: true, handler: .waiting(handler))
    }

    private func live() -> HTTPResponse { .json(bytes: Array(#"{"status":"up"}"#.utf8)) }

    private func summary() async -> HTTPResponse {
        let report = await checks.report()
        return .json(
            bytes: body(report, status: report.status.rawValue),
            status: report.status == .down ? .serviceUnavailable : .ok)
    }

    private func ready() async -> HTTPResponse {
        guard checks.isServing else {
            return .json(bytes: Array(#"{"status":"down","reason":"not serving"}"#.utf8), status: .serviceUnavailable)
        }
        let report = await checks.report()
        return .json(
            bytes: body(report, status: report.status == .up ? "ready" : report.status.rawValue),
            status: report.status == .down ? .serviceUnavailable : .ok)
    }

    private func body(_ report: HealthChecks.Report, status: String) -> [UInt8] {
        var body = ByteBuffer(capacity: 256)
        body.append("{\"status\":" as StaticString)
        body.appendJSONString(status)
        body.append(",\"service\":" as StaticString)
        body.appendJSONString(service)
        body.append(",\"version\":" as StaticString)
        body.appendJSONString(version)
        body.append(",\"checks\":{" as StaticString)
        for (index, check) in report.problems.enumerated() {
            if index > 0 { body.append("," as StaticString) }
            body.appendJSONString(check.name)
            body.append(":" as StaticString)
            body.appendJSONString(check.problem.map { "down: " + $0 } ?? "up")
        }
        body.append("}}" as StaticString)
        return body.array()
    }
}
