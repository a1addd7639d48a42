internal import EventLoop
package import HTTP
internal import Synchronization
internal import Telemetry

/// One service as the callers of this process see it: its instances, and which of them the next request goes to.
///
/// Each loop has a list of its own, so that a choice takes no lock and allocates nothing: of two instances taken by chance
/// the one with fewer requests of this loop under way. That needs no shared counter, keeps away from an instance that has
/// become slow (which taking turns would not), and does not send everybody to the idlest at once. An instance that
/// refuses connections is left out for a while, as long as there are others.
package final class Destination: Sendable {
    package let name: String
    private let group: EventLoopGroup
    private let views: [LoopView]
    private let shared: Mutex<Shared>
    private let isKnown: Atomic<Bool>

    private struct Shared: Sendable {
        var urls: [String]
        var version = 0
        var turn = 0
    }

    private static let settleStepNanoseconds: UInt64 = 5_000_000
    private static let settleSteps = 200

    /// - Parameters: urls: `http://host:port` of each instance.
    ///   - isSettled: false while somebody is being asked for them.
    init(_ name: String, urls: [String], group: EventLoopGroup, isSettled: Bool) {
        self.name = name
        self.group = group
        views = group.loops.map { LoopView(loop: $0, urls: urls) }
        shared = Mutex(Shared(urls: urls))
        isKnown = Atomic(isSettled)
    }

    // MARK: Choosing

    /// One instance, for one request whose end is then told to it.
    package struct Pick: Sendable {
        /// `http://host:port`.
        package let url: String
        /// Nil for callers on none of the loops.
        fileprivate let instance: LoopInstance?

        /// It answered, whatever it said.
        package func answered() { instance?.ended(.answered) }
        /// It did not answer.
        package func failed(_ error: HTTPClientError) { instance?.ended(LoopInstance.End(error)) }
        /// The caller gave up: that says nothing about the instance.
        package func abandoned() { instance?.ended(.abandoned) }
    }

    /// Where the next request goes.
    /// - Parameter failed: where it has been in vain; another instance is chosen if there is one.
    /// - Returns: nil when no address is known.
    package func pick(besides failed: Pick? = nil) -> Pick? {
        if let loop = EventLoop.current, group.owns(loop) {
            guard let instance = views[loop.index].pick(besides: failed?.instance) else { return nil }
            return Pick(url: instance.url, instance: instance)
        }
        return nextURL(besides: failed?.url).map { Pick(url: $0, instance: nil) }
    }

    /// Some address, for a question that is no request of anybody's.
    package var anyURL: String? { nextURL(besides: nil) }

    /// Whether a request that failed at one instance can go to another.
    package var hasOthers: Bool {
        if let loop = EventLoop.current, group.owns(loop) { return views[loop.index].count > 1 }
        return shared.withLock { $0.urls.count > 1 }
    }

    private func nextURL(besides failed: String?) -> String? {
        shared.withLock { shared in
            guard !shared.urls.isEmpty else { return nil }
            shared.turn &+= 1
            let start = shared.turn % shared.urls.count
            let url = shared.urls[start]
            return url == failed ? shared.urls[(start + 1) % shared.urls.count] : url
        }
    }

    // MARK: Learning

    /// Whether somebody has said where the service is, or was asked in vain.
    package var isSettled: Bool { isKnown.load(ordering: .relaxed) }

    /// Waits a moment until somebody has said where the service is.
    /// - Throws: `CancellationError`.
    package func settle() async throws {
        for _ in 0..<Self.settleSteps where !isSettled {
            try await Task.sleep(nanoseconds: Self.settleStepNanoseconds)
        }
        noteSettled()
    }

    func noteSettled() { isKnown.store(true, ordering: .relaxed) }

    /// From now on these are the instances. Those that were there before keep what is known of them.
    func show(_ urls: [String]) {
        let version = shared.withLock { shared -> Int? in
            guard shared.urls != urls else { return nil }
            shared.urls = urls
            shared.version += 1
            return shared.version
        }
        guard let version else { return }
        for view in views { view.loop.execute { view.show(urls, version: version) } }
    }

    /// Counts instances that are set aside.
    func count(_ setAside: CounterSeries) {
        for view in views { view.loop.execute { view.setAside = setAside } }
    }
}
