import TestSupport
import TollgateKernel

/// A clock that somebody sets while everything runs, and what it did since any moment.
struct SteppedClock {
    /// The clock the service looks at.
    let clock: TestClock
    /// Time that truly went by, in milliseconds.
    private(set) var elapsed: Int64 = 0
    /// How far it was set back so far, all steps together, in milliseconds.
    private(set) var setBack: Int64 = 0
    /// The number of steps so far.
    private(set) var steps = 0
    /// The latest moment it ever showed.
    private(set) var latest: Timestamp
    /// The latest moment it showed since each mark.
    private var peaks: [Timestamp] = []

    /// Makes one that stands where the clock does.
    init(_ clock: TestClock) {
        self.clock = clock
        latest = clock.now()
    }

    /// What it shows.
    var now: Timestamp { clock.now() }

    /// Lets time go by.
    mutating func pass(milliseconds: Int64) {
        elapsed += milliseconds
        clock.advance(milliseconds: milliseconds)
        raisePeaks()
    }

    /// Sets it, back if negative.
    mutating func step(milliseconds: Int64) {
        steps += 1
        setBack += max(0, -milliseconds)
        clock.advance(milliseconds: milliseconds)
        raisePeaks()
    }

    /// A moment to look back at.
    struct Mark {
        fileprivate let elapsed: Int64
        fileprivate let setBack: Int64
        fileprivate let place: Int
    }

    /// Marks the present moment.
    mutating func mark() -> Mark {
        peaks.append(now)
        return Mark(elapsed: elapsed, setBack: setBack, place: peaks.count - 1)
    }

    /// Time that truly went by since a mark, in milliseconds.
    func elapsed(since mark: Mark) -> Int64 { elapsed - mark.elapsed }

    /// How far the clock was set back since a mark, in milliseconds.
    func setBack(since mark: Mark) -> Int64 { setBack - mark.setBack }

    /// The latest moment it showed since a mark.
    func peak(since mark: Mark) -> Timestamp { peaks[mark.place] }

    private mutating func raisePeaks() {
        let now = now
        latest = max(latest, now)
        for place in peaks.indices where peaks[place] < now { peaks[place] = now }
    }
}

/// Random numbers that a seed repeats: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
