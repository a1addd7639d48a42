internal import FoundationEssentials

/// A kind of work that a service does later or elsewhere: declared once as a value, enqueued with its typed input, run by
/// a worker of the service that owns it.
///
///     static let sendReceipt = TaskDefinition<Receipt, Nothing>("receipts.send", of: "orders", effect: .once)
///
///     try await app.tasks.enqueue(sendReceipt, Receipt(orderID: id))      // whoever wants it done
///     app.performOnce(sendReceipt) { receipt, context, transaction in … }  // in `build` of the service `orders`
package struct TaskDefinition<Input: Sendable, Output: Sendable>: Sendable {
    /// What dashboards, the service's definition and the worker know of it.
    package let declaration: TaskDeclaration
    let encodeInput: @Sendable (Input) throws -> String
    let decodeInput: @Sendable (String) throws -> Input
    let encodeOutput: @Sendable (Output) throws -> String
    let decodeOutput: @Sendable (String) throws -> Output

    /// With input and output as JSON of their own making.
    package init(
        _ declaration: TaskDeclaration, encodeInput: @escaping @Sendable (Input) throws -> String,
        decodeInput: @escaping @Sendable (String) throws -> Input,
        encodeOutput: @escaping @Sendable (Output) throws -> String,
        decodeOutput: @escaping @Sendable (String) throws -> Output
    ) {
        self.declaration = declaration
        self.encodeInput = encodeInput
        self.decodeInput = decodeInput
        self.encodeOutput = encodeOutput
        self.decodeOutput = decodeOutput
    }

    package var name: String { declaration.name }
}

extension TaskDefinition where Input: Codable, Output: Codable {
    /// - Parameters:
    ///   - name: `receipts.send`: unique within the service, low in cardinality, never changed while tasks wait.
    ///   - service: whose workers run it.
    ///   - timeLimitSeconds: after which a run is cancelled and counts as failed, 1 to 86,400.
    package init(
        _ name: String, of service: String, effect: TaskEffect = .repeatable, priority: TaskPriority = .normal,
        retry: TaskRetry = TaskRetry(), timeLimitSeconds: Int = 60
    ) {
        self.init(
            TaskDeclaration(
                name: name, service: service, effect: effect, priority: priority, retry: retry,
                timeLimitSeconds: timeLimitSeconds),
            encodeInput: { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) },
            decodeInput: { try JSONDecoder().decode(Input.self, from: Data($0.utf8)) },
            encodeOutput: { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) },
            decodeOutput: { try JSONDecoder().decode(Output.self, from: Data($0.utf8)) })
    }
}

/// What a task is, without its types.
package struct TaskDeclaration: Sendable, Hashable {
    package let name: String
    /// The service whose workers run it.
    package let service: String
    package let effect: TaskEffect
    package let priority: TaskPriority
    package let retry: TaskRetry
    package let timeLimitSeconds: Int

    package init(
        name: String, service: String, effect: TaskEffect = .repeatable, priority: TaskPriority = .normal,
        retry: TaskRetry = TaskRetry(), timeLimitSeconds: Int = 60
    ) {
        precondition((1...86_400).contains(timeLimitSeconds), "a task takes a second to a day")
        self.name = name
        self.service = service
        self.effect = effect
        self.priority = priority
        self.retry = retry
        self.timeLimitSeconds = timeLimitSeconds
    }
}

/// What happens when a worker dies after the effect and before the acknowledgement, and the task runs again.
package enum TaskEffect: String, Sendable, Hashable {
    /// The task may be repeated: its handler sees to it, or it does not matter.
    case repeatable
    /// The effect is a transaction of the service's database, which also holds a mark of the task (`processed_tasks`):
    /// it happens once however often the task runs.
    case once
}

/// Which of a service's queues a task waits in. Workers take from the first that has something; every eighth time they
/// begin at the other end, so that nothing waits for ever.
package enum TaskPriority: String, Sendable, Hashable, CaseIterable {
    case high, normal, low
}

/// How often a failed task is tried again, and how long after: exponential with full jitter.
package struct TaskRetry: Sendable, Hashable {
    /// The first run included; 1 means no retries.
    package var maxAttempts: Int
    /// The longest pause before the first retry; it doubles with each.
    package var baseMilliseconds: Int
    package var capMilliseconds: Int

    package init(maxAttempts: Int = 5, baseMilliseconds: Int = 1_000, capMilliseconds: Int = 600_000) {
        precondition(maxAttempts >= 1 && baseMilliseconds >= 1 && capMilliseconds >= baseMilliseconds)
        self.maxAttempts = maxAttempts
        self.baseMilliseconds = baseMilliseconds
        self.capMilliseconds = capMilliseconds
    }
}

/// Input or output of a task that has none.
package struct Nothing: Codable, Sendable, Hashable {
    package init() {}
}
