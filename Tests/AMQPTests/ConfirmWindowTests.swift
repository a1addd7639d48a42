import Testing

@testable import AMQP

@Suite struct ConfirmWindowTests {
    private func filled(_ count: Int) -> ConfirmWindow<Int> {
        var window = ConfirmWindow<Int>()
        for number in 1...count { window.add(messageID: "m\(number)", deadline: UInt64(number), waiter: number) }
        return window
    }

    @Test func oneTagSettlesOneAndMultipleAllUpToIt() {
        var window = filled(10)
        let third = window.settle(3, multiple: false).map(\.waiter)
        #expect(third == [3])
        let upToFive = window.settle(5, multiple: true).map(\.waiter)
        #expect(upToFive == [1, 2, 4, 5])
        #expect(window.count == 5)
        let again = window.settle(4, multiple: true)
        #expect(again.isEmpty)
        let future = window.settle(11, multiple: true)
        #expect(future.isEmpty)
        #expect(window.count == 5)
    }

    @Test func whatIsReturnedIsSoForTheFirstOfThatID() {
        var window = ConfirmWindow<Int>()
        for number in 1...3 { window.add(messageID: "same", deadline: 0, waiter: number) }
        window.noteReturned(messageID: "same", reason: "NO_ROUTE")
        window.noteReturned(messageID: "other", reason: "NO_ROUTE")
        let reasons = window.settle(3, multiple: true).map(\.returned)
        #expect(reasons == ["NO_ROUTE", nil, nil])
    }

    @Test func deadlinesAreMetInOrderAndLateConfirmsIgnored() {
        var window = filled(5)
        _ = window.settle(2, multiple: false)
        #expect(window.nextDeadline == 1)
        let expired = window.expire(now: 3).map(\.waiter)
        #expect(expired == [1, 3])
        #expect(window.nextDeadline == 4)
        let late = window.settle(3, multiple: true)
        #expect(late.isEmpty)
        let rest = window.settle(5, multiple: true).map(\.waiter)
        #expect(rest == [4, 5])
        #expect(window.nextDeadline == nil)
    }

    @Test func aNewChannelCountsFromOne() {
        var window = filled(5)
        _ = window.settle(2, multiple: true)
        let left = window.reset().map(\.waiter)
        #expect(left == [3, 4, 5])
        window.add(messageID: "a", deadline: 0, waiter: 9)
        let first = window.settle(1, multiple: false).map(\.waiter)
        #expect(first == [9])
    }

    /// Against a plain dictionary, over tens of thousands of messages.
    @Test func agreesWithTheObviousModel() {
        var window = ConfirmWindow<UInt64>()
        var model: [UInt64: UInt64] = [:]
        var next: UInt64 = 1
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<30_000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6:
                window.add(messageID: "", deadline: next, waiter: next)
                model[next] = next
                next += 1
            case 6..<9:
                let tag = UInt64.random(in: (next > 40 ? next - 40 : 1)...next, using: &generator)
                let settled = window.settle(tag, multiple: false).map(\.waiter)
                #expect(settled == [model.removeValue(forKey: tag)].compactMap { $0 })
            default:
                let tag = UInt64.random(in: (next > 60 ? next - 60 : 1)...next, using: &generator)
                let settled = window.settle(tag, multiple: tag < next).map(\.waiter)
                let expected = tag < next ? model.keys.filter { $0 <= tag }.sorted() : []
                for tag in expected { model[tag] = nil }
                #expect(settled == expected)
            }
            #expect(window.count == model.count)
        }
    }
}

@Suite struct AMQPAddressTests {
    @Test func partsAreDecoded() throws {
        let full = try AMQPAddress(url: "amqp://me%40x:p%3Ass@host:1234/a%2Fb")
        #expect(full.user == "me@x")
        #expect(full.password == "p:ss")
        #expect(full.host == "host")
        #expect(full.port == 1234)
        #expect(full.virtualHost == "a/b")
        let short = try AMQPAddress(url: "amqp://host")
        #expect(short.user == "guest")
        #expect(short.port == 5672)
        #expect(short.virtualHost == "/")
    }

    @Test(arguments: [
        "", "host", "http://host", "amqp://", "amqp://host:0", "amqp://host:65536", "amqp://host:x", "amqp://u:p@",
        "amqp://u:%@host", "amqp://u:%+1@host", "amqp://u:%00@host", "amqp://host/%ff",
    ])
    func whatIsNoAddressIsRefused(_ url: String) {
        #expect(throws: AMQPError.self) { try AMQPAddress(url: url) }
    }
}
