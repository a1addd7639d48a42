/// Whether a collector is asked at all: one that refuses for good whatever it gets is left alone for a while, and what
/// it would have got is lost at once, without being encoded or sent. A pure state machine: `refusalsToOpen` refusals in a
/// row open it, then one request is let through at the end of each pause; the pauses double until one is taken.
struct RefusalBreaker: Equatable {
    /// So many refusals in a row, and nothing taken between them.
    static let refusalsToOpen = 8
    /// The first pause.
    static let minPauseMilliseconds: UInt64 = 1_000
    /// The longest: a collector that was put right is noticed within this time.
    static let maxPauseMilliseconds: UInt64 = 30_000

    /// Why the last request was refused; what is lost meanwhile is counted by it.
    private(set) var errorType = ""
    private var refusalsInARow = 0
    /// Zero while everything is let through.
    private var pauseMilliseconds: UInt64 = 0
    private var nextTry: UInt64 = 0

    /// Whether requests are lost.
    var isOpen: Bool { pauseMilliseconds > 0 }

    /// Whether nothing would be let through now; asking changes nothing.
    func isPausing(at milliseconds: UInt64) -> Bool { isOpen && milliseconds < nextTry }

    /// Whether a request may be sent now. While it is open that is one at the end of each pause.
    mutating func admits(at milliseconds: UInt64) -> Bool {
        guard isOpen else { return true }
        guard milliseconds >= nextTry else { return false }
        nextTry = milliseconds + pauseMilliseconds
        return true
    }

    /// The collector will never take what it got.
    mutating func refused(_ errorType: String, at milliseconds: UInt64) {
        self.errorType = errorType
        if isOpen {
            pauseMilliseconds = min(2 * pauseMilliseconds, Self.maxPauseMilliseconds)
        } else {
            refusalsInARow += 1
            guard refusalsInARow >= Self.refusalsToOpen else { return }
            pauseMilliseconds = Self.minPauseMilliseconds
        }
        nextTry = milliseconds + pauseMilliseconds
    }

    /// The collector took something.
    mutating func taken() { (refusalsInARow, pauseMilliseconds) = (0, 0) }
}
