internal import HTTP
internal import HTTPCodec

/// `/admin/faults`: administrators switch faults on and off, one after the other. Nothing is there unless faults are
/// enabled by configuration.
struct FaultRoutes: Sendable {
    static let prefix = "/admin/faults"

    let faults: FaultSwitches

    func declare(_ routes: RouteGroup) {
        routes.get("", .admin, list)
        routes.put("/{fault}", .admin, turnOn)
        routes.delete("/{fault}", .admin, turnOff)
    }

    @Sendable private func list(_ request: Request) async throws -> HTTPResponse { try answer() }

    @Sendable private func turnOn(_ request: Request) async throws -> HTTPResponse {
        let fault = try fault(request)
        let setting: FaultSetting = try await request.json()
        guard setting.amount.isFinite, setting.amount >= 0 else {
            throw HTTPError.invalid(["body", "amount"], "Input should be zero or more", type: "greater_than_equal")
        }
        faults.turnOn(fault, setting)
        return try answer()
    }

    @Sendable private func turnOff(_ request: Request) async throws -> HTTPResponse {
        faults.turnOff(try fault(request))
        return try answer()
    }

    private func fault(_ request: Request) throws -> Fault {
        guard let fault = Fault(rawValue: request.parameter("fault")) else {
            let known = Fault.allCases.map(\.rawValue).joined(separator: ", ")
            throw HTTPError(.notFound, "fault.unknown", "there is no such fault: use one of \(known)")
        }
        return fault
    }

    private func answer() throws -> HTTPResponse {
        try .json(Dictionary(uniqueKeysWithValues: faults.active.map { ($0.key.rawValue, $0.value) }))
    }
}
