/// SplitMix64: the same numbers in every run, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Letters mostly, and now and then what splits messages.
    mutating func text(_ length: ClosedRange<Int>) -> String {
        let common = Array("abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ0123456789")
        let rare = Array(" :;,/?#%\t\r\n\u{0}\u{7F}é\"\\.%2e")
        var text = ""
        for _ in 0..<Int.random(in: length, using: &self) {
            let isRare = Int.random(in: 0..<30, using: &self) == 0
            text.append((isRare ? rare : common).randomElement(using: &self) ?? "a")
        }
        return text
    }
}
