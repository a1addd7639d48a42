import EventLoop
import HTTP
import Testing

@testable import ServiceKit

/// Which instance the next request goes to.
@Suite struct DestinationTests {
    private static let group = EventLoopGroup(count: 1)
    private static let urls = ["http://a:1", "http://b:1", "http://c:1"]

    private func onLoop<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await Self.group.loops[0].run(body)
    }

    private func destination(_ urls: [String] = urls) -> Destination {
        Destination("orders", urls: urls, group: Self.group, isSettled: true)
    }

    /// Where so many requests go that end at once.
    private func spread(_ destination: Destination, _ count: Int = 300) -> [String: Int] {
        var seen: [String: Int] = [:]
        for _ in 0..<count {
            guard let pick = destination.pick() else { continue }
            seen[pick.url, default: 0] += 1
            pick.answered()
        }
        return seen
    }

    @Test func withoutAnAddressThereIsNoChoice() async throws {
        let destination = destination([])
        #expect(destination.pick() == nil)
        #expect(try await onLoop { destination.pick() == nil })
    }

    @Test func requestsSpreadOverAllInstances() async throws {
        let destination = destination()
        let seen = try await onLoop { spread(destination) }
        #expect(Set(seen.keys) == Set(Self.urls))
        // Of 300, chance gives each some 100; thirty is eight deviations away.
        #expect(seen.values.allSatisfy { $0 > 30 })
    }

    @Test func anInstanceThatAnswersSlowlyGetsLess() async throws {
        let destination = destination()
        let seen = try await onLoop {
            var picks: [Destination.Pick] = []
            var seen: [String: Int] = [:]
            // Nothing ever ends at a.
            for _ in 0..<300 {
                guard let pick = destination.pick() else { continue }
                seen[pick.url, default: 0] += 1
                if pick.url == Self.urls[0] { picks.append(pick) } else { pick.answered() }
            }
            for pick in picks { pick.abandoned() }
            return seen
        }
        #expect(seen[Self.urls[0], default: 0] <= 1)
    }

    @Test func whoRefusesConnectionsIsSetAsideWhileThereAreOthers() async throws {
        let destination = destination()
        let seen = try await onLoop {
            while let pick = destination.pick() {
                guard pick.url == Self.urls[0] else {
                    pick.answered()
                    continue
                }
                pick.failed(.connectFailed("nobody listens"))
                break
            }
            return spread(destination, 50)
        }
        #expect(seen[Self.urls[0]] == nil && seen.count == 2)
    }

    @Test func aSingleFailureOfAnotherKindIsChance() async throws {
        let destination = destination()
        let seen = try await onLoop {
            for url in Self.urls {
                while let pick = destination.pick() {
                    guard pick.url == url else {
                        pick.abandoned()
                        continue
                    }
                    pick.failed(.timedOut)
                    break
                }
            }
            return spread(destination)
        }
        #expect(seen.count == 3)
    }

    @Test func whenAllAreSetAsideRequestsGoSomewhereAllTheSame() async throws {
        let destination = destination()
        try await onLoop {
            for _ in 0..<30 {
                let pick = try #require(destination.pick())
                pick.failed(.connectFailed("nobody listens"))
            }
        }
    }

    @Test func theOnlyInstanceIsNeverSetAside() async throws {
        let destination = destination(["http://a:1"])
        try await onLoop {
            for _ in 0..<5 {
                let pick = try #require(destination.pick(besides: destination.pick()))
                #expect(pick.url == "http://a:1")
                pick.failed(.connectFailed("nobody listens"))
            }
            #expect(!destination.hasOthers)
        }
    }

    @Test func whatFailedIsNotTriedAgainWhileThereAreOthers() async throws {
        let destination = destination(["http://a:1", "http://b:1"])
        try await onLoop {
            for _ in 0..<50 {
                let first = try #require(destination.pick())
                let second = try #require(destination.pick(besides: first))
                #expect(first.url != second.url)
                first.abandoned()
                second.answered()
            }
        }
        let first = try #require(destination.pick())
        #expect(destination.pick(besides: first)?.url != first.url)
    }

    @Test func newInstancesCountAtOnceAndThoseThatStayKeepWhatIsKnown() async throws {
        let destination = destination(["http://a:1", "http://b:1"])
        try await onLoop {
            while let pick = destination.pick(), pick.url != "http://a:1" { pick.abandoned() }
            // One request to a is under way for good.
        }
        destination.show(["http://a:1", "http://c:1"])
        let seen = try await onLoop { spread(destination, 50) }
        #expect(seen == ["http://c:1": 50])
        #expect(Set((0..<4).compactMap { _ in destination.pick()?.url }) == ["http://a:1", "http://c:1"])
    }
}
