internal import EventLoop
internal import HTTP
internal import Telemetry

/// The instances of a service as one loop knows them.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only, after `init`.
final class LoopView: @unchecked Sendable {
    let loop: EventLoop
    var setAside: CounterSeries?
    private var instances: [LoopInstance]
    private var version = 0
    private var random: UInt64

    init(loop: EventLoop, urls: [String]) {
        self.loop = loop
        random = .random(in: 1 ... .max)
        instances = []
        instances = urls.map { LoopInstance(url: $0, view: self) }
    }

    var count: Int { instances.count }

    func show(_ urls: [String], version: Int) {
        // News that others have overtaken.
        guard version > self.version else { return }
        self.version = version
        let known = Dictionary(instances.map { ($0.url, $0) }) { first, _ in first }
        instances = urls.map { known[$0] ?? LoopInstance(url: $0, view: self) }
    }

    /// Of two by chance the one with fewer requests under way; not where it failed, nor what is set aside, if there is
    /// anything else.
    func pick(besides failed: LoopInstance?) -> LoopInstance? {
        let count = instances.count
        guard count > 1 else {
            guard let only = instances.first else { return nil }
            only.underWay += 1
            return only
        }
        let first = Int(truncatingIfNeeded: next() % UInt64(count))
        var second = Int(truncatingIfNeeded: next() % UInt64(count - 1))
        if second >= first { second += 1 }
        let chosen =
            better(instances[first], instances[second], besides: failed) ?? search(from: first, besides: failed)
        chosen.underWay += 1
        return chosen
    }

    private func better(_ one: LoopInstance, _ other: LoopInstance, besides failed: LoopInstance?) -> LoopInstance? {
        switch (isUsable(one, besides: failed), isUsable(other, besides: failed)) {
        case (true, true): other.underWay < one.underWay ? other : one
        case (true, false): one
        case (false, true): other
        case (false, false): nil
        }
    }

    private func isUsable(_ instance: LoopInstance, besides failed: LoopInstance?) -> Bool {
        instance !== failed && (instance.asideUntil == 0 || instance.asideUntil <= loop.nowMilliseconds)
    }

    /// Neither of the two would do: whichever does, or will again first.
    private func search(from start: Int, besides failed: LoopInstance?) -> LoopInstance {
        var best = instances[start]
        for offset in instances.indices {
            let instance = instances[(start + offset) % instances.count]
            if isUsable(instance, besides: failed) { return instance }
            if best === failed || (instance !== failed && instance.asideUntil < best.asideUntil) { best = instance }
        }
        return best
    }

    /// xorshift64: chance is all that is asked of it, and the system's generator is a system call.
    private func next() -> UInt64 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return random
    }
}

/// One instance as one loop knows it: what is under way, and whether it is left out for a while.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only; `ended` goes there.
final class LoopInstance: @unchecked Sendable {
    let url: String
    var underWay = 0
    /// Of the loop's clock; 0 when it is not set aside.
    private(set) var asideUntil: UInt64 = 0
    private weak let view: LoopView?
    private let loop: EventLoop
    /// One after the other.
    private var failures = 0
    private var timesAside = 0

    /// Failures that may be chance before an instance is set aside; one that refuses connections is at once.
    private static let maxFailures = 3
    private static let shortestAsideMilliseconds: UInt64 = 1_000
    private static let maxDoublings = 5

    /// How a request ended, as far as it says something about the instance.
    enum End: Sendable {
        case answered
        /// Nobody listens, or nobody that can be trusted.
        case refused
        /// The answer did not come, or broke off.
        case failed
        case abandoned

        init(_ error: HTTPClientError) {
            switch error {
            case .connectFailed, .tlsFailed: self = .refused
            case .timedOut, .disconnected, .malformedResponse: self = .failed
            case .invalidURL, .responseTooLarge, .tooManyWaiting, .shutDown, .invalidRequest: self = .abandoned
            }
        }
    }

    init(url: String, view: LoopView) {
        self.url = url
        self.view = view
        loop = view.loop
    }

    func ended(_ end: End) {
        loop.perform { [self] in
            underWay -= 1
            switch end {
            case .answered: (failures, timesAside, asideUntil) = (0, 0, 0)
            case .failed:
                failures += 1
                if failures >= Self.maxFailures { setAside() }
            case .refused: setAside()
            case .abandoned: break
            }
        }
    }

    /// Each time in a row twice as long.
    private func setAside() {
        guard let view, view.count > 1 else { return }
        failures = 0
        asideUntil = loop.nowMilliseconds + Self.shortestAsideMilliseconds << UInt64(min(timesAside, Self.maxDoublings))
        timesAside += 1
        view.setAside?.increment()
    }
}
