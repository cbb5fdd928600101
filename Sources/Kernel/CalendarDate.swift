/// A date of the Gregorian calendar, extended to all years.
package struct CalendarDate: Hashable, Sendable, CustomStringConvertible {
    /// The year; 0 is the year before 1.
    package let year: Int64
    /// 1 to 12.
    package let month: Int64
    /// 1 to 31.
    package let day: Int64

    /// The date so many days after 1970-01-01.
    ///
    /// Source of the arithmetic: civil_from_days,
    /// <https://howardhinnant.github.io/date_algorithms.html>.
    package init(daysSinceEpoch number: Int64) {
        let shifted = number + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Such as `2026-01-31`.
    package var description: String { "\(year)-\(twoDigits(month))-\(twoDigits(day))" }
}

extension Timestamp {
    /// The moment in UTC as RFC 3339 has it, such as `2026-01-31T08:00:00.250Z`.
    package var description: String {
        let day: Int64 = 86_400_000
        let days = milliseconds >= 0 ? milliseconds / day : (milliseconds - day + 1) / day
        let rest = milliseconds - days * day
        let hour = twoDigits(rest / 3_600_000)
        let minute = twoDigits(rest / 60_000 % 60)
        let second = twoDigits(rest / 1_000 % 60)
        let thousandths = rest % 1_000
        let padding = thousandths < 10 ? "00" : thousandths < 100 ? "0" : ""
        let date = CalendarDate(daysSinceEpoch: days)
        return "\(date)T\(hour):\(minute):\(second).\(padding)\(thousandths)Z"
    }
}

private func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
