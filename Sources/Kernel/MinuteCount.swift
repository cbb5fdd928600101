/// How many of something happened in one minute since 1970: what limits of a minute are counted by.
///
/// Several servers count in one stored value, and their clocks differ a little. So the minute only
/// goes forward, or a clock that lags would begin the minute anew each time; a value more than a
/// minute ahead comes from a clock that was wrong and is forgotten.
package struct MinuteCount: Hashable, Sendable {
    /// The minute since 1970 that is counted.
    package private(set) var minute: Int64
    /// What happened in it so far; not negative.
    package private(set) var count: Int64

    /// Wraps stored numbers.
    package init(minute: Int64, count: Int64) {
        self.minute = minute
        self.count = count
    }

    /// Nothing happened yet.
    package static let none = MinuteCount(minute: 0, count: 0)

    /// What happened in the minute that `now` belongs to.
    package func count(at now: Timestamp) -> Int64 { isCurrent(at: now) ? count : 0 }

    /// Counts `amount` more at `now`.
    package mutating func add(_ amount: Int64 = 1, at now: Timestamp) {
        if !isCurrent(at: now) { self = MinuteCount(minute: Self.minute(of: now), count: 0) }
        let (sum, overflow) = count.addingReportingOverflow(amount)
        count = overflow ? .max : sum
    }

    /// How long the minute still lasts in which `now` is counted, in milliseconds.
    package func rest(at now: Timestamp) -> Int64 {
        let minute = isCurrent(at: now) ? self.minute : Self.minute(of: now)
        return (minute + 1) * 60_000 - now.milliseconds
    }

    private func isCurrent(at now: Timestamp) -> Bool {
        let present = Self.minute(of: now)
        return minute == present || minute == present + 1
    }

    private static func minute(of now: Timestamp) -> Int64 {
        let seconds = now.seconds
        return seconds >= 0 ? seconds / 60 : (seconds - 59) / 60
    }
}
