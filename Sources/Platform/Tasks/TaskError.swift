internal import FoundationEssentials

/// Why a task could not be enqueued, or its result not be had.
package enum TaskError: Error, Sendable, Hashable, CustomStringConvertible {
    /// As many tasks wait as may: none was added.
    case queueFull(service: String, limit: Int)
    /// The encoded input is too large: keep the data elsewhere and send its id.
    case inputTooLarge(task: String, bytes: Int, limit: Int)
    /// The task runs, waits or is being retried: its result was not there in time, and will still come.
    case notFinished(id: String)
    /// Nobody knows the task: its result was not kept, or no longer is.
    case unknown(id: String)
    /// It was tried as often as it may be; the worker's log says why.
    case failed(id: String)
    /// The stored result is not what the definition says.
    case malformedResult(id: String)
    /// As many callers wait for results as may.
    case tooManyWaiting

    package var description: String {
        switch self {
        case .queueFull(let service, let limit):
            "\(limit) tasks of '\(service)' wait already: start more workers ('vitrine worker \(service)') or try later"
        case .inputTooLarge(let task, let bytes, let limit):
            "the input of \(task) has \(bytes) bytes and may have \(limit): store the data and send its id"
        case .notFinished: "the task has not finished yet"
        case .unknown: "there is no such task, or its result is no longer kept"
        case .failed: "the task failed and was given up"
        case .malformedResult: "the task's result is not what its definition says"
        case .tooManyWaiting: "too many callers wait for results of tasks"
        }
    }
}

/// A handler's no that will not change: bad input, a row that is not there. The task is finished, not retried; whoever
/// waits for it gets the refusal.
package struct TaskRefusal: Error, Sendable, Hashable, Codable {
    /// As an HTTP status, 400 to 499.
    package let status: Int
    /// Stable, for programs.
    package let code: String
    /// For people. No secrets, no internals.
    package let message: String

    package init(status: Int = 422, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    var json: String { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}" }

    static func decode(_ text: String) -> TaskRefusal? {
        try? JSONDecoder().decode(TaskRefusal.self, from: Data(text.utf8))
    }
}

/// An error that may mean no for good.
package protocol TaskRefusing: Error {
    /// Nil when trying again may help.
    var taskRefusal: TaskRefusal? { get }
}

extension TaskRefusal: TaskRefusing {
    package var taskRefusal: TaskRefusal? { self }
}
