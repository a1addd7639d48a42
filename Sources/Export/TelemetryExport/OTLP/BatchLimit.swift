/// How large requests to one collector may be: what it found too large (413) is remembered, so that only the first
/// request is refused for its size and not a part of each. A pure state machine: the limit is halved at a refusal, and
/// grows by an eighth with each request that comes near it and is taken, up to what is known to be too much.
struct BatchLimit: Equatable {
    /// The limit does not fall below this; a collector that does not take so little takes nothing.
    static let floorBytes = 4 * 1024
    /// What was too much once is tried again after so many requests that were taken.
    static let takenUntilForgotten = 256
    /// OTLP 1.11: no request is larger, so that a limit beyond it is none.
    static let maxBytes = 64 * 1024 * 1024

    /// Bytes before compression; nil while nothing was refused.
    private(set) var bytes: Int?
    /// The least that was too much.
    private var refusedBytes = Int.max
    private var takenSinceRefusal = 0

    /// Whether a request may be sent as it is.
    func allows(_ byteCount: Int) -> Bool { bytes.map { byteCount <= $0 } ?? true }

    /// A request of so many bytes was too large.
    mutating func refused(_ byteCount: Int) {
        // What was beyond the limit anyway, because it could not be cut, says nothing.
        guard allows(byteCount) else { return }
        bytes = max(Self.floorBytes, byteCount / 2)
        refusedBytes = min(refusedBytes, byteCount)
        takenSinceRefusal = 0
    }

    /// A request of so many bytes was taken.
    mutating func taken(_ byteCount: Int) {
        guard let bytes else { return }
        takenSinceRefusal += 1
        if takenSinceRefusal >= Self.takenUntilForgotten || byteCount >= refusedBytes { forgetRefusals() }
        // A small one says nothing of larger ones.
        guard byteCount > bytes / 2 else { return }
        let ceiling = refusedBytes - refusedBytes / 8
        let grown = max(bytes, min(bytes + bytes / 8, ceiling))
        self.bytes = grown < Self.maxBytes ? grown : nil
    }

    /// The collector has changed: the limit may grow without bound again.
    mutating func forgetRefusals() {
        refusedBytes = .max
        takenSinceRefusal = 0
    }
}
