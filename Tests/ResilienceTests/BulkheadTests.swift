import Resilience
import Testing

@Suite struct BulkheadTests {
    @Test func onlySoMuchGoesOnAtOnce() {
        let bulkhead = Bulkhead(limit: 2)
        #expect(bulkhead.enter() && bulkhead.enter())
        #expect(!bulkhead.enter() && !bulkhead.enter())
        #expect(bulkhead.count == 2)
        bulkhead.leave()
        #expect(bulkhead.enter())
        #expect(!bulkhead.enter())
    }

    @Test func everyPlaceIsGivenBackWhoeverCameAtOnce() async {
        let bulkhead = Bulkhead(limit: 3)
        let most = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var most = 0
                    for _ in 0..<2_000 where bulkhead.enter() {
                        most = max(most, bulkhead.count)
                        await Task.yield()
                        bulkhead.leave()
                    }
                    return most
                }
            }
            return await group.reduce(0, max)
        }
        // Whoever is being refused counts for a moment.
        #expect(most >= 1 && most <= 3 + 8)
        #expect(bulkhead.count == 0)
        #expect(bulkhead.enter() && bulkhead.enter() && bulkhead.enter() && !bulkhead.enter())
    }
}
