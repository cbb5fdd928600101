/// A calendar month in Asia/Shanghai (UTC+8, no daylight saving), counted from January 1970.
///
/// Statements are cut by this month.
package struct ShanghaiMonth: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Months since January 1970.
    package let number: Int64

    /// Wraps a number of months.
    package init(number: Int64) { self.number = number }

    /// The month a moment falls in.
    package init(_ moment: Timestamp) {
        let date = CalendarDate(daysSinceEpoch: ShanghaiDay(moment).number)
        number = (date.year - 1970) * 12 + date.month - 1
    }

    /// Reads `2026-11`, from 1970-01 to 9999-12; nil for anything else.
    package init?(text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 7, bytes[4] == UInt8(ascii: "-"),
            (bytes[..<4] + bytes[5...]).allSatisfy({ (0x30...0x39).contains($0) }),
            let year = Int64(text.prefix(4)), let month = Int64(text.suffix(2)),
            year >= 1970, (1...12).contains(month)
        else { return nil }
        number = (year - 1970) * 12 + month - 1
    }

    package static func < (left: ShanghaiMonth, right: ShanghaiMonth) -> Bool {
        left.number < right.number
    }

    /// The month after it.
    package var next: ShanghaiMonth { ShanghaiMonth(number: number + 1) }

    /// Its first day.
    package var firstDay: ShanghaiDay {
        ShanghaiDay(number: CalendarDate.daysSinceEpoch(year: year, month: month, day: 1))
    }

    /// Its first moment.
    package var start: Timestamp { firstDay.start }

    /// The first moment after it.
    package var end: Timestamp { next.start }

    /// The month as `2026-11`.
    package var description: String { "\(year)-\(month < 10 ? "0" : "")\(month)" }

    private var year: Int64 { 1970 + (number - monthOfYear) / 12 }
    private var month: Int64 { monthOfYear + 1 }

    /// From 0, also before 1970.
    private var monthOfYear: Int64 { (number % 12 + 12) % 12 }
}

extension CalendarDate {
    /// The days from 1970-01-01 to a date that exists.
    ///
    /// Source of the arithmetic: days_from_civil,
    /// <https://howardhinnant.github.io/date_algorithms.html>.
    package static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let era = (yearFromMarch >= 0 ? yearFromMarch : yearFromMarch - 399) / 400
        let yearOfEra = yearFromMarch - era * 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
