internal import PostgreSQL
internal import Redis
internal import Resilience
internal import Telemetry

extension TaskVerdict {
    /// How long a task waits for a store that is away.
    private static let outagePauseMilliseconds = 1_000...3_000

    /// What a handler's error means.
    init(_ error: any Error, of declaration: TaskDeclaration, attempt: Int, interruption: TaskRun.Interruption?) {
        switch interruption {
        case .lost:
            self = .lost
            return
        case .givenBack:
            self = .giveBack
            return
        case .timedOut, nil: break
        }
        if let refusal = (error as? any TaskRefusing)?.taskRefusal {
            self = .refused(refusal)
        } else if error is UnreadableInput {
            self = .dead(reason: "its input is not what \(declaration.name) takes", errorType: "unreadable_input")
        } else if interruption == nil, Self.isOutage(error) {
            self = .postpone(.random(in: Self.outagePauseMilliseconds), errorType: ErrorType.name(of: error))
        } else {
            let type = interruption == .timedOut ? "timeout" : ErrorType.name(of: error)
            if attempt < declaration.retry.maxAttempts {
                let pause = Backoff.milliseconds(
                    attempt: attempt, base: declaration.retry.baseMilliseconds, cap: declaration.retry.capMilliseconds)
                self = .retry(pause, errorType: type)
            } else {
                self = .dead(reason: "attempt \(attempt) failed: \(type)", errorType: type)
            }
        }
    }

    private static func isOutage(_ error: any Error) -> Bool {
        switch error {
        case PostgreSQLError.connection, PostgreSQLError.poolTimeout, PostgreSQLError.shutDown: true
        // Another run of the same task holds the mark.
        case PostgreSQLError.server("55P03", _, _): true
        case RedisError.connection, RedisError.shutDown, RedisError.tooManyWaiting: true
        default: false
        }
    }
}
