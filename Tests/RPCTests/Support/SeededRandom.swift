import Foundation

/// Random numbers that a seed repeats: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A seed for one run, or the one that TOLLGATE_SEED asks to repeat; a failed test prints it.
    static var seed: UInt64 {
        ProcessInfo.processInfo.environment["TOLLGATE_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: .min ... .max)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// True once in so many.
    mutating func once(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}
