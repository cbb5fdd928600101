import Testing
import TollgateKernel

/// Moments and the Shanghai day.
@Suite struct TimeTests {
    /// Days checked against `TZ=Asia/Shanghai date -d @… +%F` and `date -d … +%s`.
    @Test(arguments: [
        (Int64(0), "1970-01-01"),
        (57_599, "1970-01-01"),
        (57_600, "1970-01-02"),
        (-28_800, "1970-01-01"),
        (-28_801, "1969-12-31"),
        (951_753_600, "2000-02-29"),
        (951_839_999, "2000-02-29"),
        (951_840_000, "2000-03-01"),
        (1_709_135_999, "2024-02-28"),
        (1_709_136_000, "2024-02-29"),
        (1_709_222_400, "2024-03-01"),
        (1_735_660_799, "2024-12-31"),
        (1_735_660_800, "2025-01-01"),
        (1_772_207_999, "2026-02-27"),
        (1_772_294_399, "2026-02-28"),
        (1_772_294_400, "2026-03-01"),
        (4_107_513_600, "2100-03-01"),
        (4_107_513_599, "2100-02-28"),
    ])
    func `a moment falls in the day the calendar in Shanghai shows`(seconds: Int64, text: String) {
        #expect(ShanghaiDay(Timestamp(seconds: seconds)).description == text)
    }

    @Test func `a day holds its first millisecond and not the next day's`() {
        for number in stride(from: Int64(-200_000), through: 200_000, by: 997) {
            let day = ShanghaiDay(number: number)
            let next = ShanghaiDay(number: number + 1)
            #expect(ShanghaiDay(day.start) == day)
            #expect(ShanghaiDay(next.start.adding(milliseconds: -1)) == day)
            #expect(day < next && day.start < next.start)
        }
    }

    @Test func `four hundred years count every day once, in the Gregorian order`() {
        var expected = (year: 1_900, month: 1, day: 1)
        for number in Int64(-25_567)..<(-25_567 + 146_097) {
            let (year, month, day) = expected
            let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
            guard ShanghaiDay(number: number).description == text else {
                Issue.record("day \(number) is \(ShanghaiDay(number: number)), not \(text)")
                return
            }
            expected = Self.dayAfter(expected)
        }
        #expect(expected == (2_300, 1, 1))
    }

    private static func dayAfter(
        _ date: (year: Int, month: Int, day: Int)
    ) -> (year: Int, month: Int, day: Int) {
        let isLeap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        if date.day < lengths[date.month - 1] { return (date.year, date.month, date.day + 1) }
        if date.month < 12 { return (date.year, date.month + 1, 1) }
        return (date.year + 1, 1, 1)
    }

    @Test(arguments: [
        (Int64(0), Int64(0)), (999, 0), (1_000, 1), (1_999, 1), (-1, -1), (-1_000, -1),
        (-1_001, -2),
    ])
    func `whole seconds round down`(milliseconds: Int64, seconds: Int64) {
        #expect(Timestamp(milliseconds: milliseconds).seconds == seconds)
    }

    /// Checked against `date -u -d @…`.
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (1_709_164_799_007, "2024-02-28T23:59:59.007Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (1_769_846_400_250, "2026-01-31T08:00:00.250Z"),
        (4_107_542_400_010, "2100-03-01T00:00:00.010Z"),
    ])
    func `a moment is told in UTC`(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
    }

    @Test func `moments compare and add`() {
        let moment = Timestamp(seconds: 10)
        #expect(moment.milliseconds == 10_000)
        #expect(moment.adding(milliseconds: -1) < moment)
        #expect(moment.adding(milliseconds: 0) == moment)
    }

    @Test func `the system's clock is past 2026 and does not run backwards here`() {
        let clock = SystemClock()
        let first = clock.now()
        #expect(first > Timestamp(seconds: 1_767_225_600))
        #expect(clock.now() >= first)
    }
}
