import Testing
import TollgateKernel

@Suite struct ShanghaiMonthTests {
    /// Checked against `TZ=Asia/Shanghai date -d @… +%Y-%m`.
    @Test(arguments: [
        (Int64(0), "1970-01"), (-28_801, "1969-12"), (951_753_600, "2000-02"),
        (951_840_000, "2000-03"), (1_709_222_399, "2024-02"), (1_709_222_400, "2024-03"),
        (1_735_660_799, "2024-12"), (1_735_660_800, "2025-01"), (4_107_513_599, "2100-02"),
        (4_107_513_600, "2100-03"),
    ])
    func `a moment falls in the month the calendar in Shanghai shows`(
        seconds: Int64, text: String
    ) {
        #expect(ShanghaiMonth(Timestamp(seconds: seconds)).description == text)
    }

    @Test func `months follow one another without a gap, and hold their days`() {
        for number in Int64(-1_200)...9_000 {
            let month = ShanghaiMonth(number: number)
            let first = CalendarDate(daysSinceEpoch: month.firstDay.number)
            guard first.day == 1, month.start == month.firstDay.start,
                month.end == month.next.start, month < month.next,
                ShanghaiMonth(month.start) == month,
                ShanghaiMonth(month.end.adding(milliseconds: -1)) == month,
                ShanghaiMonth(month.end) == month.next,
                CalendarDate.daysSinceEpoch(
                    year: first.year, month: first.month, day: first.day)
                    == month.firstDay.number
            else {
                Issue.record("month \(month)")
                return
            }
        }
    }

    @Test func `what is written is read again, and nothing else`() {
        for number in Int64(0)..<(8_030 * 12) {
            let month = ShanghaiMonth(number: number)
            guard ShanghaiMonth(text: month.description) == month else {
                Issue.record("\(month)")
                return
            }
        }
        for text in [
            "", "2026", "2026-1", "2026-00", "2026-13", "1969-12", "20261-1", "2026-011",
            "2026/11", "-026-11", "+026-11", "2026-+1", " 2026-1", "2026-1٠", "２026-11",
        ] {
            #expect(ShanghaiMonth(text: text) == nil, "\(text)")
        }
    }
}
