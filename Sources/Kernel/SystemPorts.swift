internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The machine's clock.
package struct SystemClock: WallClock {
    /// Makes the clock.
    package init() {}

    /// Reads CLOCK_REALTIME.
    package func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// The kernel's random numbers, through Swift's system generator (getrandom(2)).
package struct SystemRandom: RandomSource {
    /// Makes the source.
    package init() {}

    package func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            withUnsafeBytes(of: generator.next()) { result.append(contentsOf: $0) }
        }
        result.removeLast(result.count - count)
        return result
    }
}

/// Identifiers of 41 bits of milliseconds since 2020 and 22 bits that start random and count up
/// inside one millisecond.
///
/// Two processes collide only if they draw the same 22 bits in the same millisecond; every table
/// has the identifier as its primary key, so a collision is an error answered to one caller, never
/// a mixed-up row.
package final class TimeSortedIdentifiers: IdentifierGenerator {
    private let clock: any WallClock
    private let random: any RandomSource
    private let last: Mutex<Int64> = Mutex(0)

    /// 2020-01-01T00:00:00Z in milliseconds: 41 bits last until 2089.
    package static let epochMilliseconds: Int64 = 1_577_836_800_000

    /// Makes a generator over a clock and a random source.
    package init(clock: any WallClock = SystemClock(), random: any RandomSource = SystemRandom()) {
        self.clock = clock
        self.random = random
    }

    package func next() -> Int64 {
        let milliseconds = max(1, clock.now().milliseconds - Self.epochMilliseconds)
        return last.withLock { last in
            // Within one millisecond, and when the clock steps back, count up: order is kept, and
            // the kernel is asked for random bits once a millisecond.
            last =
                milliseconds > last >> 22
                ? milliseconds << 22 | Int64(random.number() & 0x3f_ffff) : last + 1
            return last
        }
    }
}

/// The machine's monotonic clock.
package struct SystemMonotonicClock: MonotonicClock {
    private static let start = ContinuousClock.now

    /// Makes the clock.
    package init() {}

    package func elapsed() -> Duration { Self.start.duration(to: .now) }

    package func sleep(for duration: Duration) async throws {
        try await Task.sleep(for: duration, clock: .continuous)
    }
}
