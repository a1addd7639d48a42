internal import Glibc

/// SplitMix64: small, and good enough to choose products by; the same seed gives the same choices everywhere.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Exponentially distributed: the time until the next of events that know nothing of each other.
    package mutating func exponential(mean: Double) -> Double {
        -log(1 - Double.random(in: 0..<1, using: &self)) * mean
    }

    /// A generator for a part of the work, so that what one part draws does not change another's choices.
    mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }
}
