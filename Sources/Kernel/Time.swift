/// A moment in UTC, in milliseconds since 1970-01-01T00:00:00Z: what every row stores.
package struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Milliseconds since the epoch.
    package let milliseconds: Int64

    /// Makes a moment.
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Makes a moment from whole seconds, as WeChat's headers carry them.
    package init(seconds: Int64) { self.milliseconds = seconds * 1_000 }

    /// Whole seconds since the epoch, rounded down.
    package var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The moment so many milliseconds later.
    package func adding(milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: self.milliseconds + milliseconds)
    }
}

/// A calendar day in Asia/Shanghai (UTC+8, no daylight saving), counted from 1970-01-01.
///
/// Reports, free trials and trade bills are cut by this day.
package struct ShanghaiDay: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Days since 1970-01-01 in Shanghai.
    package let number: Int64

    /// Wraps a stored day.
    package init(number: Int64) { self.number = number }

    /// The day a moment falls in.
    package init(_ moment: Timestamp) {
        let shifted = moment.milliseconds + 8 * 3_600_000
        let day: Int64 = 86_400_000
        number = shifted >= 0 ? shifted / day : (shifted - day + 1) / day
    }

    package static func < (left: ShanghaiDay, right: ShanghaiDay) -> Bool {
        left.number < right.number
    }

    /// The day's first moment.
    package var start: Timestamp {
        Timestamp(milliseconds: number * 86_400_000 - 8 * 3_600_000)
    }

    /// The day as `2026-01-31`.
    package var description: String { CalendarDate(daysSinceEpoch: number).description }
}

/// Tells the time of day; tests give one they can move.
package protocol WallClock: Sendable {
    /// The present moment.
    func now() -> Timestamp
}

/// Gives random bytes from a cryptographically secure source; tests give a seeded one.
package protocol RandomSource: Sendable {
    /// So many fresh random bytes.
    func bytes(_ count: Int) -> [UInt8]
}

extension RandomSource {
    /// A uniformly random 64-bit number.
    package func number() -> UInt64 { bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
}

/// Makes identifiers that sort by time and do not collide between processes.
package protocol IdentifierGenerator: Sendable {
    /// A fresh positive number: 41 bits of milliseconds since 2020, 22 random bits.
    func next() -> Int64
}

/// Measures spans that steps of the wall clock must not change: leases, time-outs, pauses.
package protocol MonotonicClock: Sendable {
    /// Time since an arbitrary start that never goes back.
    func elapsed() -> Duration

    /// Waits; throws `CancellationError` if the task is cancelled meanwhile.
    func sleep(for duration: Duration) async throws
}
