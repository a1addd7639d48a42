internal import HTTPCodec
package import HTTP
internal import Security
package import Tasks
internal import Telemetry

/// How an endpoint answers with a task: 202 and its id, or what the task returned.
extension Application {
    /// Enqueues a task on the caller's behalf and answers 202 with its id and where to ask for it.
    package func accept<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ input: Input, for request: Request
    ) async throws -> HTTPResponse {
        let id = try await tasks.enqueue(
            task, input, TaskOptions(identity: request.identity, keepsResultSeconds: TaskAnswer.keepsSeconds))
        return TaskAnswer.accepted(id, of: task.declaration.service)
    }

    /// Enqueues a task on the caller's behalf and answers with what it returned; with 202, like `accept`, when that takes
    /// longer than the caller waits.
    /// - Parameter waitSeconds: 0 does not wait; the request's deadline shortens it.
    /// - Throws: what the handler refused, as `HTTPError`.
    package func answer<Input, Output>(
        _ task: TaskDefinition<Input, Output>, _ input: Input, for request: Request, waitSeconds: Int,
        _ respond: (Output) throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        let id = try await tasks.enqueue(
            task, input, TaskOptions(identity: request.identity, keepsResultSeconds: TaskAnswer.keepsSeconds))
        guard waitSeconds > 0 else { return TaskAnswer.accepted(id, of: task.declaration.service) }
        do {
            return try respond(try await tasks.result(of: task, id: id, waitSeconds: waitSeconds))
        } catch TaskError.notFinished {
            return TaskAnswer.accepted(id, of: task.declaration.service)
        }
    }

    /// Declares `GET /api/v1/tasks/<service>/{id}?wait_timeout=0…60`: how a task of this service stands, for whoever enqueued
    /// it and for administrators of their company.
    package func taskStatus() {
        let service = definition.name
        let tasks = tasks
        routes(TaskAnswer.statusPath(of: service)) { routes in
            routes.get("/{id}", .user) { request in
                let caller = try request.caller()
                let id = try request.uuid("id")
                let wait = try request.query("wait_timeout", default: 0, in: 0...TaskAnswer.maxWaitSeconds)
                let status = try await tasks.status(of: id, of: service, waitSeconds: wait)
                // Somebody else's task and one that is not there look alike.
                let isTheirs = caller.isAdmin && status.companyID == caller.companyID
                guard status.owner == caller.userID || isTheirs else { throw TaskError.unknown(id: id) }
                return TaskAnswer.status(id, status)
            }
        }
    }
}

/// The bodies of answers about tasks.
package enum TaskAnswer {
    /// How long the outcome of a task that came by HTTP can be asked for.
    package static let keepsSeconds = 3_600
    /// Where tasks of a service are asked for, there and at the gateway.
    package static func statusPath(of service: String) -> String { "/api/v1/tasks/\(service)" }
    /// The longest `wait_timeout`.
    package static let maxWaitSeconds = 60

    /// 202: `{"task_id":…,"status":"pending"}`, with `Location`.
    package static func accepted(_ id: String, of service: String) -> HTTPResponse {
        var buffer = ByteBuffer(capacity: 96)
        buffer.append("{\"task_id\":" as StaticString)
        buffer.appendJSONString(id)
        buffer.append(",\"status\":\"pending\"}" as StaticString)
        var response = HTTPResponse.json(bytes: buffer.array(), status: .accepted)
        response.headers.add("location", "\(statusPath(of: service))/\(id)")
        return response
    }

    static func status(_ id: String, _ status: TaskStatus) -> HTTPResponse {
        var buffer = ByteBuffer(capacity: 128 + status.body.utf8.count)
        buffer.append("{\"task_id\":" as StaticString)
        buffer.appendJSONString(id)
        buffer.append(",\"task\":" as StaticString)
        buffer.appendJSONString(status.task)
        buffer.append(",\"status\":" as StaticString)
        buffer.appendJSONString(status.state.rawValue)
        switch status.state {
        case .pending, .failed: break
        case .succeeded:
            buffer.append(",\"result\":" as StaticString)
            buffer.append(status.body)
        case .refused:
            buffer.append(",\"error\":" as StaticString)
            buffer.append(status.body)
        }
        buffer.append("}" as StaticString)
        return .json(bytes: buffer.array())
    }
}

extension HTTPError: TaskRefusing {
    /// What a client did wrong stays wrong; ours, time-outs and too many requests may pass.
    package var taskRefusal: TaskRefusal? {
        guard (400...499).contains(status.code), status.code != 408, status.code != 429 else { return nil }
        return TaskRefusal(status: status.code, code: code, message: message)
    }

    init(_ refusal: TaskRefusal) { self.init(HTTPStatus(refusal.status), refusal.code, refusal.message) }

    static func telling(of error: TaskError) -> HTTPError {
        switch error {
        case .queueFull, .tooManyWaiting:
            var busy = HTTPError(.serviceUnavailable, "unavailable", "too much to do right now: try again in a moment")
            busy.headers.append(("retry-after", "1"))
            return busy
        case .inputTooLarge: return HTTPError(.contentTooLarge, "task.too_large", error.description)
        case .notFinished: return HTTPError(.gatewayTimeout, "task.not_finished", error.description)
        case .unknown: return HTTPError(.notFound, "not_found", error.description)
        case .failed, .malformedResult: return HTTPError(.badGateway, "task.failed", error.description)
        }
    }
}
