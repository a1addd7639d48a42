/// A lock that somebody holds for a while, with the number that protects what it is for.
///
/// A lease ends by the clock, so its holder may go on working after somebody else has it: paused, slow, cut off. That is
/// why each lease has a fencing token, larger than that of every lease before it, and why a protected write compares
/// tokens (`PostgreSQLLocks.check`, `RedisLocks.isCurrent`, or a comparison of its own): the latecomer's is refused.
package struct Lease: Sendable, Hashable {
    package let name: String
    /// Who holds it: names this acquisition, not a machine.
    package let owner: String
    /// The fencing token.
    package let token: Int64
}

/// The lease has gone to somebody else, or ended: what was to be written must not be.
package struct LeaseLost: Error, Sendable, CustomStringConvertible {
    package let name: String
    package var description: String { "the lock '\(name)' is no longer held: what it protects was not written" }
}
