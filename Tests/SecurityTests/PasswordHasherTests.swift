import EventLoop
import Testing

@testable import Security

@Suite struct PasswordHasherTests {
    @Test func onlyTheRightPasswordIsAccepted() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 4, workers: workers)
        let hash = try await hasher.hash("Correct1")
        #expect(hash.hasPrefix("$2b$04$"))
        #expect(try await hasher.verify("Correct1", against: hash))
        #expect(try await !hasher.verify("Correct2", against: hash))
        #expect(try await !hasher.verify("Correct1", against: nil))
        #expect(try await hasher.hash("Correct1") != hash)
    }

    /// Vectors of the OpenBSD and jBCrypt test suites.
    @Test(arguments: [
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        ("abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
        (
            "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
            "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"
        ),
    ])
    func theHashIsThatOfOthers(_ password: String, _ known: String) async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 5, workers: workers)
        #expect(try await hasher.verify(password, against: known))
        #expect(try await !hasher.verify(password + "x", against: known))
    }

    /// Were the decoy no valid setting, an unknown account would be told apart by its quick answer.
    @Test(arguments: [4, 9, 10, 12]) func theDecoyIsHashedAtTheSameCost(_ cost: Int) throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let decoy = PasswordHasher(cost: cost, workers: workers).decoy
        let hash = try #require(PasswordHasher.crypt("anything", decoy))
        #expect(hash.hasPrefix(cost < 10 ? "$2b$0\(cost)$" : "$2b$\(cost)$"))
        #expect(hash != decoy)
    }

    @Test func aHashThatIsNoneIsNoMatch() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 4, workers: workers)
        for hash in ["", "*0", "$2b$04$", "plain", "$1$abc$def"] {
            #expect(try await !hasher.verify("Correct1", against: hash))
        }
        // What bcrypt would cut must not match what it was cut to.
        let long = String(repeating: "x", count: 72)
        let known = try await hasher.hash(long)
        #expect(try await hasher.verify(long, against: known))
        #expect(try await !hasher.verify(long + "y", against: known))
    }

    @Test func passwordsThatBcryptWouldCutAreRefused() async throws {
        let workers = WorkerPool(threads: 1)
        defer { workers.shutdown() }
        let hasher = PasswordHasher(cost: 4, workers: workers)
        for password in ["", String(repeating: "x", count: 73), "a\u{0}b"] {
            await #expect(throws: PasswordHasher.Failure.self) { _ = try await hasher.hash(password) }
        }
    }
}
