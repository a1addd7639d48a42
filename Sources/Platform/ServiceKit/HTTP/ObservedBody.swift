internal import HTTP
internal import Synchronization
internal import Telemetry

/// A response body that is still being written when the handler is done: the request ends with its last piece, with its
/// failure, or with the moment when nobody reads it any more.
struct ObservedBody: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    private let pieces: any AsyncSequence<[UInt8], any Error> & Sendable
    private let ending: Ending

    init(
        _ pieces: any AsyncSequence<[UInt8], any Error> & Sendable, _ observation: RequestObservation,
        _ instruments: HTTPInstruments, _ logger: Logger
    ) {
        self.pieces = pieces
        ending = Ending(observation, instruments, logger)
    }

    func makeAsyncIterator() -> Iterator { Iterator(base: pieces.makeAsyncIterator(), ending: ending) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: any AsyncIteratorProtocol<[UInt8], any Error>
        fileprivate let ending: Ending
        private var bytes = 0

        fileprivate init(base: any AsyncIteratorProtocol<[UInt8], any Error>, ending: Ending) {
            self.base = base
            self.ending = ending
        }

        mutating func next() async throws -> [UInt8]? { try await next(isolation: #isolation) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            do {
                guard let piece = try await base.next(isolation: actor) else {
                    ending.tell(.complete, bytes)
                    return nil
                }
                bytes += piece.count
                return piece
            } catch {
                let isGone = error is CancellationError || error as? HTTPBodyCut == .disconnected
                ending.tell(isGone ? .abandoned : .failed(ErrorType.name(of: error)), bytes)
                throw error
            }
        }
    }

    /// Tells of the request once: at the latest when the body is forgotten.
    fileprivate final class Ending: Sendable {
        private let observation: RequestObservation
        private let instruments: HTTPInstruments
        private let logger: Logger
        private let isTold = Atomic<Bool>(false)

        init(_ observation: RequestObservation, _ instruments: HTTPInstruments, _ logger: Logger) {
            self.observation = observation
            self.instruments = instruments
            self.logger = logger
        }

        enum Way {
            case complete
            case failed(String)
            case abandoned
        }

        func tell(_ way: Way, _ bytes: Int) {
            guard !isTold.exchange(true, ordering: .acquiringAndReleasing) else { return }
            observation.responseBytes = bytes
            switch way {
            case .complete: break
            case .failed(let errorType): observation.errorType = errorType
            case .abandoned: observation.isClientGone = true
            }
            TelemetryContext.$current.withValue(observation.context) { observation.finish(instruments, logger) }
        }

        deinit { tell(.abandoned, 0) }
    }
}
