internal import HTTP
internal import Telemetry

/// A response body that is still being written when the handler is done: the request ends with its last piece, with its
/// failure, or with the moment when nobody reads it any more.
struct ObservedBody: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    private let pieces: any AsyncSequence<[UInt8], any Error> & Sendable
    private let ending: Ending

    init(_ pieces: any AsyncSequence<[UInt8], any Error> & Sendable, _ observation: RequestObservation) {
        self.pieces = pieces
        ending = Ending(observation)
    }

    func makeAsyncIterator() -> Iterator { Iterator(base: pieces.makeAsyncIterator(), ending: ending) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: any AsyncIteratorProtocol<[UInt8], any Error>
        fileprivate let ending: Ending

        mutating func next() async throws -> [UInt8]? { try await next(isolation: #isolation) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            do {
                guard let piece = try await base.next(isolation: actor) else {
                    ending.complete()
                    return nil
                }
                ending.observation.responseBytes += piece.count
                return piece
            } catch {
                ending.fail(ErrorType.name(of: error))
                throw error
            }
        }
    }

    /// Ends the observation at the latest when the body is forgotten.
    fileprivate final class Ending: Sendable {
        let observation: RequestObservation

        init(_ observation: RequestObservation) { self.observation = observation }

        func complete() { finish() }

        func fail(_ type: String) {
            observation.errorType = type
            finish()
        }

        /// Whether the observation has ended is its own knowledge: the last word is ignored when it came too late.
        deinit {
            if observation.errorType == nil, !observation.isOver { observation.errorType = "disconnected" }
            finish()
        }

        private func finish() {
            TelemetryContext.$current.withValue(observation.context) { observation.finish() }
        }
    }
}
